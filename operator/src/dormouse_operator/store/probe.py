"""Can this store be trusted with epochs? What the protocol rests on is tried out, again and again, on small objects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import uuid4

from dormouse.replica.store import Store, StoredObject, StoreError, StoreUnsupported
from dormouse_operator.api import Verdict
from dormouse_operator.store.check import Check

FOLDER = ".dormouse-probe"
_SKEW_SECONDS = 60.0
_VISIBLE = 4  # objects whose writes must show at once
_REMEDY = (
    "use a store with atomic If-Match and If-None-Match: AWS S3, SeaweedFS or MinIO, without replication in both ways"
)


@dataclass(frozen=True)
class Races:
    """How hard a store is tried."""

    rounds: int = 16
    # Two at a time: SeaweedFS lets the third of several wait for a second, and so on, up to every deadline.
    claimants: int = 2


@dataclass(frozen=True)
class Probe:
    """`available`: the store answers and the keys open it. `conditional`: it keeps conditions on writes."""

    available: Verdict
    conditional: Verdict


async def probe(store: Store, prefix: str) -> Probe:
    """The verdict of the operator. What is written below `prefix` is removed again."""
    try:
        checks = await protocol_checks(store, prefix, Races())
    except (StoreError, OSError) as failed:
        return unavailable(type(failed).__name__, str(failed))
    failed_one = next((check for check in checks if check.outcome == "failed"), None)
    if failed_one is not None:
        return Probe(_ANSWERS, Verdict("False", "ConditionalWritesUnsupported", failed_one.message))
    raced = next(check for check in checks if check.name == "OneWinner")
    return Probe(_ANSWERS, Verdict("True", "Proven", raced.message))


def unavailable(reason: str, message: str) -> Probe:
    """Nothing is known about a store that cannot be asked."""
    return Probe(Verdict("False", reason, message), Verdict("Unknown", reason, message))


_ANSWERS = Verdict("True", "Answers", "the store answers and the credentials open the bucket")


async def protocol_checks(store: Store, prefix: str, races: Races) -> list[Check]:
    """Try each rule; a store that breaks one is tried with the others all the same.

    Raises:
        StoreError: when the store cannot be asked; the same trouble is told in the same words.
    """
    folder = "/".join(part for part in (prefix, FOLDER) if part)
    bench = _Bench(store, f"{folder}/{uuid4().hex}", races)
    checks = []
    try:
        for name, tried in _RULES.items():
            try:
                checks.append(Check(name, "passed", await tried(bench)))
            except _Doubtful as doubtful:
                checks.append(Check(name, "warned", str(doubtful)))
            except (_Broken, StoreUnsupported) as broken:
                checks.append(Check(name, "failed", str(broken)))
    except StoreError as failed:
        if not any(check.outcome == "failed" for check in checks):
            raise type(failed)(str(failed).replace(bench.folder, folder)) from failed
    finally:
        for key in bench.written:
            with contextlib.suppress(StoreError):  # what was found out counts for more than a leftover of 70 bytes
                await store.delete(key)
    return checks


class _Broken(Exception):
    """The store did what no store may do."""


class _Doubtful(Exception):
    """It may do that, but somebody should know."""


@dataclass
class _Bench:
    """Where it is tried: each rule has its own objects."""

    store: Store
    folder: str
    races: Races
    written: list[str] = field(default_factory=list)

    def key(self) -> str:
        self.written.append(f"{self.folder}/{len(self.written)}")
        return self.written[-1]

    async def read(self, key: str) -> StoredObject:
        found = await self.store.get(key)
        if not isinstance(found, StoredObject):
            raise _Broken(f"an object that was just written is not there; {_REMEDY}")
        return found

    async def compete(self, key: str, etag: str | None) -> tuple[StoredObject, bool]:
        """All claimants write at once. What is there then, and whether one of them wrote it."""
        bodies = [_body() for _ in range(self.races.claimants)]
        won = await asyncio.gather(*(_wins(self.store, key, body, etag) for body in bodies))
        if sum(won) > 1:
            raise _Broken(f"{sum(won)} of {len(won)} writers won with the same condition; {_REMEDY}")
        found = await self.read(key)
        if any(won) and found.data != bodies[won.index(True)]:
            raise _Broken(f"a read did not show the write that had won; {_REMEDY}")
        return found, found.data in bodies


async def _reads_what_was_written(bench: _Bench) -> str:
    key, etag = bench.key(), None
    # Keys that may not list are told 403 here by some stores: nobody could ever claim a first epoch with them.
    if await bench.store.get(key) is not None:
        raise _Broken(f"an object that nobody wrote is there; {_REMEDY}")
    for _ in range(_VISIBLE):
        body = _body()
        etag = await bench.store.put(key, body, etag)
        found = await bench.read(key)
        if (found.data, found.etag) != (body, etag):
            raise _Broken(f"a read after a write showed an older object; {_REMEDY}")
    return f"{_VISIBLE} reads each showed the write before"


async def _creates_once(bench: _Bench) -> str:
    key = bench.key()
    await bench.store.put(key, _body(), None)
    if await _wins(bench.store, key, _body(), None):
        raise _Broken(f"a second write with If-None-Match replaced an object; {_REMEDY}")
    return "a write with If-None-Match does not replace an object"


async def _refuses_what_is_stale(bench: _Bench) -> str:
    key = bench.key()
    stale = await bench.store.put(key, _body(), None)
    newest = _body()
    await bench.store.put(key, newest, stale)
    if await _wins(bench.store, key, _body(), stale):
        raise _Broken(f"a write with the If-Match of an older object replaced the newer one; {_REMEDY}")
    if (await bench.read(key)).data != newest:
        raise _Broken(f"a write that was refused changed the object; {_REMEDY}")
    if await _wins(bench.store, bench.key(), _body(), stale):
        raise _Broken(f"a write with If-Match made an object where there was none; {_REMEDY}")
    return "a write with an older If-Match is refused"


async def _lets_one_win(bench: _Bench) -> str:
    key = bench.key()
    etag = await bench.store.put(key, _body(), None)
    wins = 0
    for _ in range(bench.races.rounds):
        found, is_new = await bench.compete(key, etag)
        etag = found.etag
        wins += is_new
    if not wins:
        tries = bench.races.claimants * bench.races.rounds
        raise StoreError(f"none of {tries} conditional writes was taken; the store is asked again")
    return f"{bench.races.claimants} writers raced for one ETag, {bench.races.rounds} times, and never two of them won"


async def _lists_what_was_written(bench: _Bench) -> str:
    keys = [bench.key() for _ in range(_VISIBLE)]
    for key in keys:
        await bench.store.put(key, _body(), None)
        if key not in [found async for found in bench.store.keys(f"{bench.folder}/")]:
            raise _Broken(f"a list did not show an object that had just been written; {_REMEDY}")
    for key in keys:
        await bench.store.delete(key)
    if set(keys) & {found async for found in bench.store.keys(f"{bench.folder}/")}:
        raise _Broken(f"a list showed an object that had just been removed; {_REMEDY}")
    return f"{len(keys)} lists each showed the write before, and none what was removed"


async def _has_the_same_time(bench: _Bench) -> str:
    key = bench.key()
    before = datetime.now(UTC)
    await bench.store.put(key, _body(), None)
    stored = (await bench.read(key)).modified
    apart = max((before - stored).total_seconds(), (stored - datetime.now(UTC)).total_seconds(), 0.0)
    if apart > _SKEW_SECONDS:
        told = f"the clocks of the store and of this machine are {apart:.0f} s apart"
        raise _Doubtful(f"{told}: requests are refused from 15 minutes on; let both follow NTP")
    return f"the clocks of the store and of this machine are less than {_SKEW_SECONDS:.0f} s apart"


_RULES: Mapping[str, Callable[[_Bench], Awaitable[str]]] = MappingProxyType(
    {
        "ReadAfterWrite": _reads_what_was_written,
        "IfNoneMatch": _creates_once,
        "IfMatch": _refuses_what_is_stale,
        "OneWinner": _lets_one_win,
        "ListAfterWrite": _lists_what_was_written,
        "Clock": _has_the_same_time,
    }
)


async def _wins(store: Store, key: str, body: bytes, etag: str | None) -> bool:
    """A conflict and an unknown outcome look the same: the content decides afterwards."""
    try:
        await store.put(key, body, etag)
    except StoreUnsupported:
        raise
    except StoreError:
        return False
    return True


def _body() -> bytes:
    return f"written to try the store out {uuid4().hex}".encode()
