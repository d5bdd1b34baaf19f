"""What must a store be able to do? The port between the protocol and S3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class StoreError(Exception):
    """The store did not do what was asked."""


class StoreUnknown(StoreError):
    """No telling what happened: a conflict, a time-out, a 5xx. Read again; the content decides."""


class StoreConflict(StoreUnknown):
    """The store said that a condition did not hold. Unknown all the same: an earlier try may have made it so."""


class StoreUnsupported(StoreError):
    """The store says that it cannot do this at all."""


class StoreDenied(StoreError):
    """The credentials are wrong or may not do this."""


class BucketMissing(StoreError):
    """The bucket does not exist."""


@dataclass(frozen=True)
class StoredObject:
    """An object as read. `modified` is by the store's clock."""

    data: bytes
    etag: str
    modified: datetime


@dataclass(frozen=True)
class ListedObject:
    """An object as a listing shows it."""

    key: str
    size: int
    modified: datetime


class Unchanged:
    """The object still has the ETag that was named."""


UNCHANGED = Unchanged()


class Store(Protocol):
    """One bucket. No call retries by itself: a retry would turn a lost success into a conflict."""

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | Unchanged | None:
        """Read an object; None when the store definitely has none."""

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        """Write if the object has this ETag, or, with None, if there is no object. Returns the new ETag."""

    async def exists(self, key: str) -> bool:
        """Whether there is an object of this key."""

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys below a prefix, page by page, so that a caller who needs one pays for one page."""

    async def delete(self, key: str) -> None:
        """Remove an object, if it is there."""


class HistoryStore(Store, Protocol):
    """What a restore to an earlier position needs beyond that."""

    def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        """The objects below a prefix, page by page."""

    async def size(self, key: str) -> int | None:
        """How many bytes an object has; None when the store definitely has none."""

    async def part(self, key: str, start: int, count: int) -> bytes | None:
        """`count` bytes of an object; None when the store definitely has none."""
