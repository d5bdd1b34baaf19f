"""When does a commit count?"""

from __future__ import annotations

import asyncio

import pytest
from engine_lab import HeldStore, settle, until

from dormouse.engine.durability import AsyncDurability, SyncDurability


class BootClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def allowed(durability: AsyncDurability) -> None:
    """Wait until another commit is."""
    waits = durability.before_commit()
    if waits is not None:
        await waits


def test_sync_waits_for_the_store() -> None:
    async def scenario() -> None:
        store = HeldStore()
        waiting = asyncio.create_task(SyncDurability(store).after_commit())
        await settle()
        assert not waiting.done()
        store.open()
        await waiting

    asyncio.run(scenario())


def test_async_commits_at_once_while_the_lag_is_within_the_bound() -> None:
    async def scenario() -> None:
        clock = BootClock()
        store = HeldStore()
        durability = AsyncDurability(store, 30, all_in_store=True, boot_seconds=clock)
        clock.seconds += 30
        await allowed(durability)
        assert store.asked == 0

    asyncio.run(scenario())


def test_async_waits_for_a_barrier_first_when_the_file_may_hold_more_than_the_store() -> None:
    async def scenario() -> None:
        store = HeldStore()
        durability = AsyncDurability(store, 30, boot_seconds=BootClock())
        waiting = asyncio.create_task(allowed(durability))
        await settle()
        assert not waiting.done()
        store.open()
        await waiting

    asyncio.run(scenario())


def test_a_process_that_was_frozen_after_the_check_shows_no_effect_before_a_barrier() -> None:
    async def scenario() -> None:
        clock = BootClock()
        store = HeldStore()
        durability = AsyncDurability(store, 30, all_in_store=True, boot_seconds=clock)
        await allowed(durability)
        clock.seconds += 600
        waiting = asyncio.create_task(durability.after_commit())
        await settle()
        assert not waiting.done()
        store.open()
        await waiting
        await durability.flush()

    asyncio.run(scenario())


def test_async_waits_for_a_barrier_once_the_lag_is_over_the_bound() -> None:
    async def scenario() -> None:
        clock = BootClock()
        store = HeldStore()
        durability = AsyncDurability(store, 30, all_in_store=True, boot_seconds=clock)
        clock.seconds += 31
        waiting = asyncio.create_task(allowed(durability))
        await settle()
        assert not waiting.done()
        store.open()
        await waiting
        assert durability.lag_seconds == 0

    asyncio.run(scenario())


def test_the_lag_counts_from_the_start_of_a_barrier_not_from_its_end() -> None:
    async def scenario() -> None:
        clock = BootClock()
        store = HeldStore()
        durability = AsyncDurability(store, 30, all_in_store=True, boot_seconds=clock)
        clock.seconds += 31
        waiting = asyncio.create_task(allowed(durability))
        await settle()
        clock.seconds += 20
        store.open()
        await waiting
        assert durability.lag_seconds == 20

    asyncio.run(scenario())


def test_a_barrier_that_ended_too_late_is_followed_by_another() -> None:
    async def scenario() -> None:
        clock = BootClock()
        store = HeldStore()
        durability = AsyncDurability(store, 30, all_in_store=True, boot_seconds=clock)
        clock.seconds += 31
        waiting = asyncio.create_task(allowed(durability))
        await settle()
        clock.seconds += 40
        store.open()
        await waiting
        assert store.asked == 2

    asyncio.run(scenario())


def test_async_keeps_up_in_the_background_after_a_commit() -> None:
    async def scenario() -> None:
        store = HeldStore()
        store.open()
        durability = AsyncDurability(store, 0.003, all_in_store=True, boot_seconds=BootClock())
        await durability.after_commit()
        await until(lambda: store.asked == 1)
        await durability.flush()
        assert store.asked == 2

    asyncio.run(scenario())


def test_what_ended_the_background_ends_the_next_commit() -> None:
    async def scenario() -> None:
        store = HeldStore()
        store.broken = ConnectionError("the keeper is gone")
        store.open()
        durability = AsyncDurability(store, 0.003, all_in_store=True, boot_seconds=BootClock())
        await durability.after_commit()
        await until(lambda: store.asked == 1)
        with pytest.raises(ConnectionError):
            await allowed(durability)

    asyncio.run(scenario())
