"""How does a copy come to be that somebody else may have: whole and checked, or without any value in it?"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dormouse.client.file import DatabaseFile
from dormouse.client.opening import NotReadable, opened_to_read
from dormouse.engine.sealing import Codec
from dormouse.errors import DormouseError
from dormouse_observer.contents import contents_of, sha256_of
from dormouse_observer.exporting.redacting import redact
from dormouse_observer.manifest import Manifest, encoded, manifest_of


class NotExported(DormouseError):
    """There is no copy; the message says why, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """How to copy.

    Attributes:
        redacted: whether placeholders are to stand in the place of all values.
        keeps_names: whether objects keep the names of their values then.
    """

    redacted: bool = False
    keeps_names: bool = False


def export(source: Path, target: Path, wanted: Wanted, codec: Codec | None) -> Manifest:
    """Copy a file, and put the manifest of the copy beside it. The source is only read.

    Args:
        source: the file; a WAL beside it is part of it.
        target: never replaced.
        wanted: how.
        codec: of the source. What it lacks the keys to stays encrypted in a whole copy, and is not in a redacted one.

    Raises:
        NotExported: when the target is there, or the source is not what its manifest says.
        NotReadable, NewerFile: when the source is no SQLite file, is damaged, or to be redacted and not ours.
    """
    for there in (target, target.with_name(f"{target.name}-wal"), manifest_of(target)):
        if there.exists():
            raise NotExported(f"{there} is there already; choose another -o, for an export never replaces a file")
    if not target.absolute().parent.is_dir():
        raise NotExported(f"there is no folder {target.parent}; make it, or choose another -o")
    try:
        pulled = _manifest_beside(source)
    except OSError as error:
        raise NotReadable(f"{source}: {error.strerror}; let this user read it") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.absolute().parent) as folder:
            return _exported(source, target, wanted, codec, pulled, Path(folder))
    except OSError as error:
        raise NotExported(f"{target}: {error.strerror}; choose a folder where this user may write") from error


def _exported(
    source: Path, target: Path, wanted: Wanted, codec: Codec | None, pulled: Manifest | None, folder: Path
) -> Manifest:
    draft, described = folder / "db.sqlite", folder / "manifest.json"
    if wanted.redacted:
        with DatabaseFile(source):
            pass  # it says what is wrong with a file that is not ours
        try:
            redact(source, draft, codec, keeps_names=wanted.keeps_names)
        except (sqlite3.Error, TypeError) as error:
            raise _damaged(source, str(error)) from error
    else:
        copy_whole(source, draft)
    manifest = _manifest(source, draft, pulled, redacted=wanted.redacted)
    described.write_bytes(encoded(manifest))
    draft.chmod(0o444)  # as of a pulled file: it would act in the name of another one
    _put(draft, target)
    _put(described, manifest_of(target))
    return manifest


def _put(draft: Path, target: Path) -> None:
    try:
        os.link(draft, target)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise NotExported(f"{target} is there already; choose another -o") from None


def copy_whole(source: Path, draft: Path) -> None:
    """With what stands in a WAL, and every page checked.

    Raises:
        NotReadable: when it is no SQLite file, or damaged.
    """
    try:
        with opened_to_read(source) as original, closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = [text for (text,) in copy.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        raise _damaged(source, str(error)) from error
    if found != ["ok"]:
        raise _damaged(source, f"it is damaged: {found[0]}")


def _damaged(source: Path, what: str) -> NotReadable:
    return NotReadable(f"{source}: {what}; pull or copy it again")


def _manifest_beside(source: Path) -> Manifest | None:
    """What was written when it was pulled, as long as that is the same file."""
    beside = manifest_of(source)
    try:
        manifest = msgspec.json.decode(beside.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise NotExported(f"{beside} is no manifest ({error}); move it away") from error
    if source.is_file() and sha256_of(source) != manifest.sha256:
        raise NotExported(
            f"{source} is not what was pulled: {beside} has another checksum; pull it again, or move the manifest away "
            "if the file was changed on purpose"
        )
    return manifest


def _manifest(source: Path, draft: Path, pulled: Manifest | None, *, redacted: bool) -> Manifest:
    contents = contents_of(draft)
    of_file = pulled or Manifest(
        name=source.stem,
        namespace="",
        source=source.name,
        position="",
        written_at=datetime.fromtimestamp(source.stat().st_mtime, UTC),
        pulled_at=datetime.now(UTC),
        is_newest=False,
        state="",
        identity="",
        sha256="",
        bytes=0,
    )
    return replace(
        of_file,
        source="" if redacted else of_file.source,
        identity=contents.identity or of_file.identity,
        sha256=sha256_of(draft),
        bytes=draft.stat().st_size,
        schema=contents.schema,
        executions=contents.executions,
        redacted=redacted or of_file.redacted,
    )
