"""Is the epoch still ours? Reads and writes CURRENT, where every unclear answer is settled by reading again."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dormouse.keeper.proof import boot_seconds
from dormouse.replica.claim import Malformed
from dormouse.replica.current import Current, CurrentMalformed, decode, encode
from dormouse.replica.holding import Outcome, is_own_seal, is_same_life, outcome
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import (
    Store,
    StoreConflict,
    StoredObject,
    StoreUnknown,
    StoreUnsupported,
    Unchanged,
)

_log = logging.getLogger("dormouse.keeper")
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
T = TypeVar("T")


async def until_answered(attempt: Callable[[], Awaitable[T]], what: str) -> T:
    """Repeat a request that changes nothing until the store answers it. The caller bounds the time."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await attempt()
        except StoreUnknown as error:
            _log.warning("%s: %s; trying again in %.2f s", what, error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


class NotOurs(Exception):
    """CURRENT shows another life, or an end of this one."""


class Ownership:
    """CURRENT as last read or written by this life."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._etag: str | None = None
        self._current: Current | None = None
        self._seen: Current | Malformed | None = None
        self._writing = asyncio.Lock()
        self._lost: NotOurs | None = None
        self.proven_at = -math.inf
        """When the last read began that showed this life as the owner (`boot_seconds`)."""
        self.modified: str | None = None
        """When the store last saw CURRENT written, by its own clock (RFC 3339); known after a read."""

    @property
    def current(self) -> Current:
        """The record as last seen."""
        assert self._current is not None  # noqa: S101 - claimed before
        return self._current

    async def read(self) -> Current | Malformed | None:
        """What the store holds now."""
        found = await until_answered(lambda: self._store.get(self._key), "reading CURRENT")
        return self._take(found)

    def _take(self, found: StoredObject | Unchanged | None) -> Current | Malformed | None:
        if isinstance(found, Unchanged):
            return self._current
        self._seen = self._decoded(found)
        return self._seen

    def _decoded(self, found: StoredObject | None) -> Current | Malformed | None:
        self._etag = found.etag if found else None
        self.modified = found.modified.isoformat() if found else None
        self._current = None
        if found is None:
            return None
        try:
            self._current = decode(found.data)
        except CurrentMalformed as problem:
            return Malformed(str(problem))
        return self._current

    async def write(self, record: Current) -> bool:
        """Replace what was last seen. False when CURRENT holds something else now, which was then read.

        A conflict, a time-out and a 5xx all mean "unknown": the record's nonce in what is read next decides. If
        nothing changed, the same bytes are sent again under the same condition, so a late arrival does no harm.
        """
        condition = self._etag
        data = encode(record)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                self._etag = await self._store.put(self._key, data, condition)
            except StoreUnknown as error:
                _log.warning("writing CURRENT: %s", error)
                seen = await self.read()
                became = outcome(record, condition, seen, self._etag)
                if became is not Outcome.SEND_AGAIN:
                    return became is Outcome.LANDED
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                self._current = record
                return True

    async def update(self, change: Callable[[Current], Current]) -> None:
        """Change the record of this life, which must still be current.

        Raises:
            NotOurs: when it is not.
        """
        async with self._writing:
            while True:
                mine = self._still_ours()
                if await self.write(change(mine).next(new_nonce())):
                    return
                self._keep_or_lose(mine, self._seen)

    def sealed_by_us(self) -> bool:
        """Whether what was read last is this life's own seal, whose answer was lost."""
        return is_own_seal(self._seen, self.current)

    async def confirm_by_reading(self) -> None:
        """The same as `confirm`, with the object fetched even if it did not change."""
        await self.confirm(fetch=True)

    async def confirm(self, fetch: bool = False) -> None:
        """Read CURRENT again and see that this life still owns the epoch; the last step before acknowledging.

        Raises:
            NotOurs: when it definitely does not.
            StoreUnknown: when the store gave no answer; nothing is acknowledged, try again.
        """
        async with self._writing:
            mine = self._still_ours()
            began = boot_seconds()
            found = await self._store.get(self._key, unless_etag=None if fetch else self._etag)
            if not isinstance(found, Unchanged):
                self._take(found)
                self._keep_or_lose(mine, self._seen)
            self.proven_at = began

    def _still_ours(self) -> Current:
        # Once lost, always lost: what was read since has an ETag that would let us overwrite another life's record.
        if self._lost is not None:
            raise self._lost
        return self.current

    def _keep_or_lose(self, mine: Current, seen: Current | Malformed | None) -> None:
        if is_same_life(seen, mine):
            return
        self._current = mine
        self._lost = NotOurs(_what(seen))
        raise self._lost


def _what(seen: Current | Malformed | None) -> str:
    if seen is None:
        return "CURRENT is gone"
    if isinstance(seen, Malformed):
        return f"CURRENT is malformed: {seen.problem}"
    return f"CURRENT is epoch {seen.epoch} of pod {seen.owner}, {seen.state}"


def new_nonce() -> str:
    """Makes the bytes of a record unique."""
    return os.urandom(16).hex()


async def check_conditional_writes(store: Store, key: str) -> None:
    """See that the store refuses a write whose condition cannot hold.

    Raises:
        Refused: ConditionalWritesUnsupported; nothing but the probe's own key was written.
    """

    async def takes_it() -> bool:
        try:
            await store.put(key, b"this store ignores If-Match", if_match='"00000000000000000000000000000000"')
        except StoreConflict:
            return False
        return True

    remedy = "it cannot keep two lives of a workflow apart. Use a store with conditional writes"
    try:
        if not await until_answered(takes_it, "probing conditional writes"):
            return
    except StoreUnsupported as error:
        raise Refused(Reason.CONDITIONAL_WRITES_UNSUPPORTED, f"{error}; {remedy}") from error
    await store.delete(key)
    raise Refused(
        Reason.CONDITIONAL_WRITES_UNSUPPORTED, f"the store took a write whose If-Match could not hold; {remedy}"
    )
