"""Who waits for whom when a store hangs? Only who asks the same store, and no longer than it may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dormouse.replica.store import StoreError, StoreUnknown
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.slots import Slots
from dormouse_operator.controller.store_lanes import TURNS_AT_ONCE, StoreLanes
from dormouse_operator.controller.tally import Tally
from unit.operator_samples import store

HUNG, GOOD = store({"metadata.name": "hung"}), store({"metadata.name": "good"})
KEYS = {"accessKeyId": b"id", "secretAccessKey": b"key"}
AN_HOUR = 3600.0


class Asked:
    """Steps that ask stores until they are told to go on."""

    def __init__(self, slots: int) -> None:
        self.slots, self.tally = Slots(slots), Tally()
        self.lanes = StoreLanes(self.slots, self.tally)
        self.in_turn: list[str] = []
        self.go_on = asyncio.Event()

    async def step(self, name: str, of: object = HUNG) -> None:
        self.slots.take("team")
        async with self.lanes.turn(HUNG if of is HUNG else GOOD, "read", AN_HOUR):
            self.in_turn.append(name)
            await self.go_on.wait()
        self.slots.give_back("team")


def told(story: Callable[[Asked], Awaitable[None]], slots: int = 1) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await story(Asked(slots))

    asyncio.run(main())


async def settle() -> None:
    """Whatever can go on has done so."""
    for _ in range(100):
        await asyncio.sleep(0)


def test_a_step_that_waits_for_a_store_lends_its_slot_and_takes_it_again() -> None:
    async def story(asked: Asked) -> None:
        waiting = asyncio.create_task(asked.step("first"))
        await settle()
        asked.slots.take("team")  # there is but one
        asked.go_on.set()
        await settle()
        assert not waiting.done()
        asked.slots.give_back("team")
        await waiting

    told(story)


def test_a_store_has_so_many_turns_at_once_and_another_has_its_own() -> None:
    async def story(asked: Asked) -> None:
        steps = [asyncio.create_task(asked.step("hung")) for _ in range(TURNS_AT_ONCE + 3)]
        steps.append(asyncio.create_task(asked.step("good", GOOD)))
        await settle()
        assert sorted(asked.in_turn) == ["good", *["hung"] * TURNS_AT_ONCE]
        asked.go_on.set()
        await asyncio.gather(*steps)
        assert asked.in_turn.count("hung") == TURNS_AT_ONCE + 3

    told(story)


@pytest.mark.parametrize("before", [0, TURNS_AT_ONCE], ids=["in its turn", "waiting for it"])
def test_a_turn_ends_in_time(before: int) -> None:
    async def story(asked: Asked) -> None:
        others = [asyncio.create_task(asked.step("hung")) for _ in range(before)]
        await settle()
        asked.slots.take("team")
        with pytest.raises(StoreUnknown, match=r"no answer within 0\.01 s"):
            async with asked.lanes.turn(HUNG, "read", 0.01):
                await asyncio.Event().wait()
        asked.slots.give_back("team")
        asked.go_on.set()
        await asyncio.gather(*others)

    told(story)


def test_a_client_is_kept_until_the_store_or_its_credentials_change() -> None:
    async def story(asked: Asked) -> None:
        asked.slots.take("team")
        async with asked.lanes.turn(GOOD, "read", AN_HOUR) as lane:
            first = lane.open(GOOD, Credentials(KEYS, None, "1"))
            assert lane.open(GOOD, Credentials(KEYS, None, "1")) is first
            assert lane.open(GOOD, Credentials(KEYS, None, "2")) is not first
            assert lane.open(store({"metadata.generation": 2}), Credentials(KEYS, None, "2")) is not first

    told(story)


def test_a_store_that_cannot_be_opened_leaves_its_turn_and_the_slot_to_others() -> None:
    async def story(asked: Asked) -> None:
        for _ in range(TURNS_AT_ONCE + 1):
            asked.slots.take("team")
            with pytest.raises(StoreError, match="accessKeyId"):
                async with asked.lanes.turn(GOOD, "read", AN_HOUR) as lane:
                    lane.open(GOOD, Credentials({**KEYS, "accessKeyId": b"a\nb"}, None, "1"))
            asked.slots.give_back("team")

    told(story)
