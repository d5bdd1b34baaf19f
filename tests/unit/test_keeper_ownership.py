"""Does a life that has lost its epoch stay lost, whoever asks next? A store in memory, which answers when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from dormouse.keeper.ownership import NotOurs, Ownership
from dormouse.replica.current import Current, LineageEntry, SealReason, State, decode, encode
from dormouse.replica.store import (
    UNCHANGED,
    StoreConflict,
    StoreDenied,
    StoredObject,
    StoreUnknown,
    Unchanged,
)

KEY = "CURRENT"
Ask = Callable[[Ownership], Awaitable[None]]


class MemoryStore:
    """One object with conditional writes.

    Attributes:
        writes: how many writes have come, whatever became of them.
        lose_answers: of how many writes to come the answer gets lost; they happen all the same.
        denied: how many reads to come are refused.
        answers: reads are answered while this is set.
    """

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.revision = 0
        self.writes = 0
        self.lose_answers = 0
        self.denied = 0
        self.answers = asyncio.Event()
        self.answers.set()

    @property
    def record(self) -> Current:
        assert self.data is not None
        return decode(self.data)

    def overwrite(self, data: bytes | None) -> None:
        """What another life does."""
        self.data = data
        self.revision += 1

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | Unchanged | None:
        assert key == KEY
        await self.answers.wait()
        if self.denied:
            self.denied -= 1
            raise StoreDenied("403")
        if self.data is None:
            return None
        if unless_etag == str(self.revision):
            return UNCHANGED
        return StoredObject(self.data, str(self.revision), datetime.now(UTC))

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        assert key == KEY
        self.writes += 1
        if if_match != (None if self.data is None else str(self.revision)):
            raise StoreConflict("412")
        self.overwrite(data)
        if self.lose_answers:
            self.lose_answers -= 1
            raise StoreUnknown("no answer")
        return str(self.revision)

    async def exists(self, key: str) -> bool:
        return key == KEY and self.data is not None

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        if KEY.startswith(prefix):
            yield KEY

    async def delete(self, key: str) -> None:
        assert key == KEY
        self.overwrite(None)


def record(epoch: int, owner: str) -> Current:
    lineage = tuple(LineageEntry(number, f"prefix-{number}") for number in range(1, epoch + 1))
    return Current(epoch, f"nonce-{owner}", "workflow", "workflow", epoch, owner, State.ACTIVE, lineage=lineage)


NEWER = encode(record(2, "newer"))
SEALED = encode(
    Current(
        *(2, "nonce-sealed", "workflow", "workflow", 1, "mine", State.SEALED, SealReason.STOPPED),
        lineage=(LineageEntry(1, "prefix-1", sealed_txid=1),),
    )
)


def replicated(current: Current) -> Current:
    return current.with_entry(replicated=True)


async def confirm(ownership: Ownership) -> None:
    await ownership.confirm()


async def confirm_by_reading(ownership: Ownership) -> None:
    await ownership.confirm_by_reading()


async def update(ownership: Ownership) -> None:
    await ownership.update(replicated)


async def owned() -> tuple[MemoryStore, Ownership]:
    """A store whose epoch 1 is ours."""
    store = MemoryStore()
    ownership = Ownership(store, KEY)
    await ownership.read()
    assert await ownership.write(record(1, "mine"))
    return store, ownership


@pytest.mark.parametrize("found", [NEWER, SEALED, b"not a record", None], ids=["newer", "sealed", "malformed", "gone"])
@pytest.mark.parametrize("first", [confirm, confirm_by_reading, update])
@pytest.mark.parametrize("then", [confirm, confirm_by_reading, update])
def test_once_lost_always_lost(found: bytes | None, first: Ask, then: Ask) -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.overwrite(found)
        with pytest.raises(NotOurs) as lost:
            await first(ownership)
        writes = store.writes
        for _ in range(2):
            with pytest.raises(NotOurs) as again:
                await then(ownership)
            assert str(again.value) == str(lost.value)
        assert store.writes == writes
        assert store.data == found

    asyncio.run(scenario())


def test_an_update_that_waits_while_a_confirmation_finds_another_life_writes_nothing() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.overwrite(NEWER)
        writes = store.writes
        store.answers.clear()
        confirming = asyncio.create_task(ownership.confirm())
        await asyncio.sleep(0)
        updates = [asyncio.create_task(ownership.update(replicated)) for _ in range(3)]
        await asyncio.sleep(0)
        store.answers.set()
        ends = await asyncio.gather(confirming, *updates, return_exceptions=True)
        assert [type(end) for end in ends] == [NotOurs] * 4
        assert store.writes == writes
        assert store.data == NEWER

    asyncio.run(scenario())


def test_a_confirmation_that_waits_while_an_update_finds_another_life_does_not_pass() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.overwrite(NEWER)
        store.answers.clear()
        updating = asyncio.create_task(ownership.update(replicated))
        await asyncio.sleep(0)
        confirming = asyncio.create_task(ownership.confirm())
        await asyncio.sleep(0)
        store.answers.set()
        ends = await asyncio.gather(updating, confirming, return_exceptions=True)
        assert [type(end) for end in ends] == [NotOurs] * 2
        assert store.data == NEWER

    asyncio.run(scenario())


def test_what_was_lost_is_still_known_as_ours() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.overwrite(NEWER)
        with pytest.raises(NotOurs, match="CURRENT is epoch 2 of pod newer, Active"):
            await ownership.confirm()
        assert (ownership.current.epoch, ownership.current.owner) == (1, "mine")
        assert not ownership.sealed_by_us()

    asyncio.run(scenario())


def test_an_update_whose_answer_is_lost_has_been_made_once() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.lose_answers = 1
        writes = store.writes
        await ownership.update(replicated)
        assert store.writes == writes + 1
        assert store.record.entry.replicated
        await ownership.confirm()

    asyncio.run(scenario())


def test_an_update_whose_answer_is_lost_and_may_not_be_read_is_not_taken_for_another_life() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.lose_answers = 1
        store.denied = 2
        for _ in range(2):
            with pytest.raises(StoreDenied):
                await ownership.update(replicated)
        await ownership.update(replicated)
        await ownership.confirm()
        assert store.record.owner == "mine"
        assert store.record.entry.replicated

    asyncio.run(scenario())


def test_a_store_that_does_not_answer_loses_nothing() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.denied = 1
        with pytest.raises(StoreDenied):
            await ownership.confirm_by_reading()
        await ownership.confirm()
        await ownership.update(replicated)
        assert store.record.entry.replicated

    asyncio.run(scenario())


def test_a_seal_of_our_own_is_told_from_another_life() -> None:
    async def scenario() -> None:
        store, ownership = await owned()
        store.overwrite(SEALED)
        with pytest.raises(NotOurs):
            await ownership.update(replicated)
        assert ownership.sealed_by_us()

    asyncio.run(scenario())
