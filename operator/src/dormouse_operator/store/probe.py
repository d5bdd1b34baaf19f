"""Can this store be trusted with epochs? Two writers race for one object, again and again; never may both win."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from uuid import uuid4

from dormouse.replica.store import Store, StoredObject, StoreError, StoreUnsupported
from dormouse_operator.api import Verdict

# Two at a time: SeaweedFS lets the third of several wait for a second, and so on, up to every deadline.
ROUNDS = 16


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
    return Probe(
        _ANSWERS, Verdict("True", "Proven", f"two writers raced for one ETag, {ROUNDS} times, and never both won")
    )


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
        wins = 0
        for _ in range(ROUNDS):
            bodies = (_body(key), _body(key))
            won = await asyncio.gather(*(_wins(store, key, body, etag) for body in bodies))
            if all(won):
                raise _Broken(f"two writers won with the same If-Match; {_REMEDY}")
            found = await store.get(key)
            if not isinstance(found, StoredObject):
                raise _Broken(f"an object that was just written is not there; {_REMEDY}")
            if any(won) and found.data != bodies[won.index(True)]:
                raise _Broken(f"a read did not show the write that had won; {_REMEDY}")
            wins += found.data in bodies
            etag = found.etag
        if not wins:
            raise StoreError(f"none of {2 * ROUNDS} conditional writes was taken; the store is asked again")
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
