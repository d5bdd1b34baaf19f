"""How does a file get to where a new workflow can begin with it? Below `.imports/` of its namespace in the store."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dormouse.errors import DormouseError
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreError, StoreUnknown
from dormouse_observer.contents import contents_of, sha256_of
from dormouse_observer.exporting.export import copy_whole
from dormouse_observer.pulling import Unreachable

LARGEST_AT_ONCE = 5 * 1024**3
"""What S3 takes in one request, in bytes."""
_SECONDS_FOR_ALL = 3600.0
_PART_BYTES = 8 * 1024 * 1024
# As the definition of a DurableWorkflow asks of `spec.restore.fromObject.key`.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]+")


class NotImported(DormouseError):
    """Nothing was put into the store; the message says why, and what to do."""


@dataclass(frozen=True)
class Imports:
    """Where a namespace's imports lie."""

    location: Location
    layout: Layout
    namespace: str

    @classmethod
    def below(cls, location: Location, path: str) -> Imports:
        """Of `[PREFIX/]NAMESPACE`. Raises NotImported when that names no namespace."""
        prefix, _, namespace = path.rpartition("/")
        if not _NAMESPACE.fullmatch(namespace):
            raise NotImported(
                "--to names no namespace; write s3://BUCKET/[PREFIX/]NAMESPACE, as the ObjectStore has it"
            )
        return cls(location, Layout.of(prefix, namespace, "any"), namespace)


@dataclass(frozen=True)
class Imported:
    """What `spec.restore.fromObject` has to say, and whether the object was there already."""

    key: str
    sha256: str
    bytes: int
    was_there: bool


async def import_file(file: Path, into: Imports, key: str | None) -> Imported:
    """Put a whole copy of the file there; what is there already is never replaced.

    Args:
        file: only read; a WAL beside it is part of it.
        into: where to.
        key: None for one that is made of the file's name and its checksum.

    Raises:
        NotImported: when it holds placeholders, is too large for a key of one's own, or another file has this key.
        NotReadable: when it is no SQLite file, or damaged.
        Unreachable: when the store cannot be asked.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise NotImported(f"--key {key!r} is none; write letters, digits, '.', '_' and '-', such as orders.sqlite")
    name = _NOT_IN_KEYS.sub("-", file.stem).lstrip(".") or "import"
    with tempfile.TemporaryDirectory(prefix="dormouse-import-") as folder:
        draft = Path(folder) / "db.sqlite"
        await asyncio.to_thread(_copy_checked, file, draft)
        sha256, size = await asyncio.to_thread(sha256_of, draft), draft.stat().st_size
        if key is not None and size > LARGEST_AT_ONCE:
            raise NotImported(
                f"{file} has more than {LARGEST_AT_ONCE:,} bytes, so it is put there in parts, and only under a key "
                "that holds its checksum; leave out --key"
            )
        chosen = key or f"{name}-{sha256[:12]}.sqlite"
        was_there = await _put(into, chosen, draft, sha256)
    return Imported(chosen, sha256, size, was_there)


def _copy_checked(file: Path, draft: Path) -> None:
    copy_whole(file, draft)
    if contents_of(draft).is_redacted:
        raise NotImported(f"{file} was redacted: who begins with it would go on with placeholders; import the original")


async def _put(into: Imports, key: str, draft: Path, sha256: str) -> bool:
    """Whether it was there already."""
    store, where = S3(into.location, timeout_seconds=_SECONDS_FOR_ALL), into.layout.imported(key)
    try:
        there = await _digest(store, where)
        if there is None and draft.stat().st_size > LARGEST_AT_ONCE:
            await store.replace_from(where, draft)
        elif there is None:
            there = await _created(store, where, draft)
    except StoreError as error:
        raise Unreachable(f"the store {into.location.endpoint or 'of AWS'}: {error}") from error
    if there not in (None, sha256):
        raise NotImported(f"another file is at {where}, and imports never change; choose another --key")
    return there is not None


async def _created(store: S3, key: str, draft: Path) -> str | None:
    """None; or the checksum of what is there after an answer that tells nothing, as somebody else may have put it."""
    try:
        await store.create_from(key, draft)
    except StoreUnknown:
        there = await _digest(store, key)
        if there is None:
            raise
        return there
    return None


async def _digest(store: S3, key: str) -> str | None:
    """The checksum of what is there."""
    size = await store.size(key)
    if size is None:
        return None
    digest = hashlib.sha256()
    for start in range(0, size, _PART_BYTES):
        digest.update(await store.part(key, start, min(_PART_BYTES, size - start)) or b"")
    return digest.hexdigest()
