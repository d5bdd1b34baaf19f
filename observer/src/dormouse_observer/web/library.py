"""Which files do the pages show, and when is one opened again? A file that changes is looked at anew."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dormouse.client import opening
from dormouse.client.opening import NotReadable
from dormouse.engine.sealing import Codec
from dormouse.errors import NewerFile
from dormouse_observer.manifest import Manifest, manifest_beside
from dormouse_observer.web.reader import PagedFile

_Look = tuple[tuple[int, int, int] | None, ...]


@dataclass
class _Opened:
    look: _Look
    file: PagedFile
    closing: ExitStack


class Library:
    """The files of one server.

    Args:
        paths: of the files, in the order in which they are shown.
        codec: for their payloads.
    """

    def __init__(self, paths: Sequence[Path], codec: Codec | None = None) -> None:
        self.paths = tuple(paths)
        self._codec = codec
        self._opened: dict[int, _Opened] = {}

    def check(self) -> list[str]:
        """Open each once; why some cannot be read, which the pages tell beside the others.

        Raises:
            NotReadable: when none can be read: one is no file of ours.
            NewerFile: when a newer Dormouse wrote it.
        """
        unreadable: list[Exception] = []
        for number, path in enumerate(self.paths):
            try:
                with self.reading(number) as file:
                    file.counts()
            except sqlite3.Error as error:
                unreadable.append(opening.unreadable(path, error))
            except (NotReadable, NewerFile) as error:
                unreadable.append(error)
        if unreadable and len(unreadable) == len(self.paths):
            raise unreadable[0]
        return [str(error) for error in unreadable]

    @contextmanager
    def reading(self, number: int) -> Iterator[PagedFile]:
        """One of the files, as it is now."""
        path = self.paths[number]
        look = _look(path)
        opened = self._opened.get(number)
        if opened is None or opened.look != look:
            self._close(number)
            closing = ExitStack()
            opened = _Opened(look, closing.enter_context(PagedFile(path, self._codec)), closing)
            self._opened[number] = opened
        try:
            yield opened.file
        except sqlite3.Error:
            self._close(number)
            raise
        finally:
            if look[-1] is not None:
                # Somebody writes into it: they are not to find a reader there when they end.
                self._close(number)

    def look(self, number: int | None = None) -> str:
        """Something that changes when the file does; without a number, when any of them does."""
        looked = self.paths if number is None else (self.paths[number],)
        seen = [_look(path)[:2] for path in looked]  # what the third holds changes also when it is only read
        return hashlib.blake2b(repr(seen).encode(), digest_size=8).hexdigest()

    def manifest(self, number: int) -> Manifest | None:
        """What `dormouse pull` put beside the file."""
        return manifest_beside(self.paths[number])

    def close(self) -> None:
        """Let go of all files."""
        for number in list(self._opened):
            self._close(number)

    def _close(self, number: int) -> None:
        opened = self._opened.pop(number, None)
        if opened is not None:
            opened.closing.close()


def _look(path: Path) -> _Look:
    """What changes when the file does; the last says whether somebody has it open."""
    return tuple(_stat(path.with_name(path.name + ending)) for ending in ("", "-wal", "-shm"))


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
