"""Can this store be trusted with epochs? Many writers race for one object, and exactly one may win."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from uuid import uuid4

from dormouse.replica.store import Store, StoredObject, StoreError, StoreUnsupported
from dormouse_operator.api import Verdict

RACERS = 32


@dataclass(frozen=True)
class Probe:
    """`available`: the store answers and the keys open it. `conditional`: it keeps conditions on writes."""

    available: Verdict
    conditional: Verdict


class _Broken(Exception):
    """The store did what no store may do."""


async def probe(store: Store, prefix: str) -> Probe:
    """Write a few small objects below `prefix`, race for one of them, and remove them again."""
    folder = "/".join(part for part in (prefix, ".dormouse-probe") if part)
    key = f"{folder}/{uuid4().hex}"
    try:
        await _race(store, key)
    except (_Broken, StoreUnsupported) as broken:
        return Probe(_ANSWERS, Verdict("False", "ConditionalWritesUnsupported", str(broken)))
    except (StoreError, OSError) as failed:
        told = str(failed).replace(key, folder)  # the same trouble in the same words
        return unavailable(type(failed).__name__, told)
    return Probe(_ANSWERS, Verdict("True", "Proven", f"{RACERS} writers raced for one ETag and one won"))


def unavailable(reason: str, message: str) -> Probe:
    """Nothing is known about a store that cannot be asked."""
    return Probe(Verdict("False", reason, message), Verdict("Unknown", reason, message))


_ANSWERS = Verdict("True", "Answers", "the store answers and the credentials open the bucket")
_REMEDY = (
    "use a store with atomic If-Match and If-None-Match: AWS S3, SeaweedFS or MinIO, without replication in both ways"
)


async def _race(store: Store, key: str) -> None:
    etag = await store.put(key, _body(key), None)
    try:
        if await _wins(store, key, _body(key), None):
            raise _Broken(f"a second write with If-None-Match replaced an object; {_REMEDY}")
        bodies = [_body(key) for _ in range(RACERS)]
        won = await asyncio.gather(*(_wins(store, key, body, etag) for body in bodies))
        if sum(won) > 1:
            raise _Broken(f"{sum(won)} of {RACERS} writers won with the same If-Match; {_REMEDY}")
        found = await store.get(key)
        if not isinstance(found, StoredObject):
            raise _Broken(f"an object that was just written is not there; {_REMEDY}")
        if any(won) and found.data != bodies[won.index(True)]:
            raise _Broken(f"a read did not show the write that had won; {_REMEDY}")
        if not any(won) and found.data not in bodies:
            raise StoreError(f"none of {RACERS} conditional writes was taken; the store is asked again")
    finally:
        with contextlib.suppress(StoreError):  # what was found out counts for more than a leftover of 70 bytes
            await store.delete(key)


async def _wins(store: Store, key: str, body: bytes, etag: str | None) -> bool:
    """A conflict and an unknown outcome look the same: the content decides afterwards."""
    try:
        await store.put(key, body, etag)
    except StoreUnsupported:
        raise
    except StoreError:
        return False
    return True


def _body(key: str) -> bytes:
    return f"{key} {uuid4().hex}".encode()
