"""What has the engine written into its files, write by write? A VFS of SQLite that tells of each change before it.

SQLite goes to the disk through a table of functions. This one is the default table but for those that change a file:
they ask first, and then call the original. So a test can stop the process right there, refuse the write as a full
disk would, or keep what was written and say what a file held after any part of it.
"""

from __future__ import annotations

import _sqlite3
import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SQLITE_OK = 0
SQLITE_IOERR_WRITE = 778
SQLITE_FULL = 13
Kind = Literal["write", "truncate", "sync", "delete"]


@dataclass(frozen=True)
class Change:
    """What is about to happen to a file. The index in shared memory is not part of it: a crash leaves none."""

    kind: Kind
    file: str
    offset: int = 0
    data: bytes = field(default=b"", repr=False)


Asked = Callable[[Change], int]
"""Told of each change before it happens; anything but SQLITE_OK refuses it with that code."""
Files = Mapping[str, bytes]


def after(changes: Sequence[Change], *, before: Files | None = None, power_lost: bool = False) -> dict[str, bytes]:
    """What the files hold after these changes; without power what no sync had come after is gone. Pure."""
    files = {name: bytearray(content) for name, content in (before or {}).items()}
    safe = {name: bytes(content) for name, content in files.items()}
    for change in changes:
        if change.kind == "delete":
            files.pop(change.file, None)
            safe.pop(change.file, None)
            continue
        content = files.setdefault(change.file, bytearray())
        if change.kind == "write":
            content.extend(bytes(max(0, change.offset - len(content))))
            content[change.offset : change.offset + len(change.data)] = change.data
        elif change.kind == "truncate":
            del content[change.offset :]
        else:
            safe[change.file] = bytes(content)
    return dict(safe) if power_lost else {name: bytes(content) for name, content in files.items()}


def never_refused(_: Change) -> int:
    return SQLITE_OK


@contextmanager
def asked_before_each_change(folder: Path, asked: Asked) -> Iterator[None]:
    """Have all connections that are opened meanwhile ask before they change a file of this folder.

    They wait for no disk: what they sync is safe from the end of a process, and from nothing else.
    """
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    default = library.sqlite3_vfs_find(None)
    own, kept = _asking(default, str(folder.resolve()), asked)
    assert library.sqlite3_vfs_register(ctypes.byref(own), 1) == SQLITE_OK
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(own))
        library.sqlite3_vfs_register(default, 1)
        _kept_for_open_files.append(kept)


_kept_for_open_files: list[Any] = []

# The structures of sqlite3.h, as far as they are needed here.
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("following", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", _OPEN),
        ("delete", _DELETE),
        ("others", ctypes.c_void_p * 13),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("others", ctypes.c_void_p * 13),
    )


def _asking(default: Any, folder: str, asked: Asked) -> tuple[_Vfs, list[Any]]:
    """A copy of a VFS that asks; and what must live as long as files are open."""
    original: _Vfs = default.contents
    own = _Vfs.from_buffer_copy(original)
    names: dict[int, str] = {}
    tables: dict[int, _Methods] = {}
    kept: list[Any] = [own, names, tables]

    def refused(kind: Kind, path: str, offset: int = 0, data: bytes = b"") -> int:
        return asked(Change(kind, Path(path).name, offset, data)) if Path(path).parent == Path(folder) else SQLITE_OK

    def opens(vfs: int, path: int | None, file: int, flags: int, out: int) -> int:
        code = int(original.open(vfs, path, file, flags, out))
        methods = ctypes.c_void_p.from_address(file)
        if code == SQLITE_OK and path is not None and methods.value:
            names[file] = ctypes.string_at(path).decode()  # the pointer itself is kept by the original
            if methods.value not in tables:
                tables[methods.value] = table_that_asks(_Methods.from_address(methods.value))
            methods.value = ctypes.addressof(tables[methods.value])
        return code

    def deletes(vfs: int, path: bytes, synced: int) -> int:
        return refused("delete", path.decode()) or int(original.delete(vfs, path, synced))

    def table_that_asks(real: _Methods) -> _Methods:
        table = _Methods.from_buffer_copy(real)

        def writes(file: int, data: int, size: int, offset: int) -> int:
            code = refused("write", names[file], offset, ctypes.string_at(data, size))
            return code or int(real.write(file, data, size, offset))

        def truncates(file: int, size: int) -> int:
            return refused("truncate", names[file], size) or int(real.truncate(file, size))

        def syncs(file: int, _: int) -> int:
            return refused("sync", names[file])  # and no real one, which takes long: no power is lost here

        table.write, table.truncate, table.sync = _WRITE(writes), _TRUNCATE(truncates), _SYNC(syncs)
        kept.extend((table.write, table.truncate, table.sync, real))
        return table

    own.name = b"asks-before-each-change"
    own.open, own.delete = _OPEN(opens), _DELETE(deletes)
    kept.extend((own.open, own.delete))
    return own, kept
