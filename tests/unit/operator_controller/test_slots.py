"""Does a namespace with a thousand steps leave room for a step of another one, and is no slot lost on the way?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dormouse_operator.controller.slots import BESIDE_SECONDS, Slots


def told(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(main())


def full(slots: Slots, namespace: str) -> int:
    """Take all that this namespace may have; how many those are."""
    count = 0
    while slots.has_room(namespace):
        slots.take(namespace)
        count += 1
    return count


@pytest.mark.parametrize(("count", "noisy", "quiet"), [(16, 12, 2), (8, 6, 1), (4, 3, 1), (2, 1, 1), (1, 1, 0)])
def test_one_namespace_never_has_all_slots_unless_there_is_but_one(count: int, noisy: int, quiet: int) -> None:
    slots = Slots(count)
    assert full(slots, "noisy") == noisy
    assert full(slots, "quiet") == quiet


class Clock:
    """Stands until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_namespace_has_few_slots_until_no_step_of_another_one_began_for_a_while() -> None:
    clock = Clock()
    slots = Slots(8, clock=clock)
    slots.take("quiet")
    slots.give_back("quiet")
    assert full(slots, "noisy") == 1
    clock.now += BESIDE_SECONDS
    assert not slots.has_room("noisy")
    clock.now += 0.1
    assert full(slots, "noisy") == 5
    slots.take("quiet")
    slots.give_back("noisy")
    assert not slots.has_room("noisy"), "it has more already than it may begin now"


def test_of_many_namespaces_each_has_few_slots_whoever_came_last() -> None:
    slots = Slots(8, clock=Clock())
    for namespace in ("a", "b", "c", "a"):
        slots.take(namespace)
        slots.give_back(namespace)
    assert [full(slots, namespace) for namespace in "abcdefghi"] == [1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_a_look_at_a_store_leaves_the_slots_of_others_to_them() -> None:
    slots = Slots(8, clock=Clock())
    slots.take("quiet", is_noticed=False)
    assert full(slots, "noisy") == 6


def test_steps_that_come_back_from_their_stores_are_as_few_beside_others() -> None:
    async def story() -> None:
        slots, go_on, order = Slots(8, clock=Clock()), asyncio.Event(), list[str]()

        async def step(name: str) -> None:
            slots.take("noisy")
            async with slots.lent("noisy"):
                await go_on.wait()
            order.append(name)

        steps = [asyncio.create_task(step(f"step-{number}")) for number in range(4)]
        await asyncio.sleep(0)
        slots.take("quiet")
        go_on.set()
        await asyncio.wait(steps, timeout=0.05)
        assert order == ["step-0"]
        for _ in range(3):
            slots.give_back("noisy")
        await asyncio.gather(*steps)
        assert order[1:] == ["step-1", "step-2", "step-3"]

    told(story)


def test_a_slot_that_is_given_back_is_told_and_goes_to_anybody() -> None:
    told_of: list[bool] = []
    slots = Slots(2, lambda: told_of.append(slots.has_room("noisy")))
    slots.take("noisy")
    assert not slots.has_room("noisy")
    slots.give_back("noisy")
    assert told_of == [True]


def test_steps_that_come_back_from_their_stores_have_no_more_slots_than_others_and_go_on_in_turn() -> None:
    async def story() -> None:
        slots, go_on, order = Slots(4), asyncio.Event(), list[str]()

        async def step(name: str) -> None:
            slots.take("noisy")
            async with slots.lent("noisy"):
                await go_on.wait()
            order.append(name)

        steps = [asyncio.create_task(step(f"step-{number}")) for number in range(5)]
        await asyncio.sleep(0)
        assert slots.has_room("noisy"), "all of them wait for a store"
        go_on.set()
        await asyncio.wait(steps, timeout=0.05)
        assert order == ["step-0", "step-1", "step-2"]
        assert slots.has_room("quiet")
        slots.give_back("noisy")
        slots.give_back("noisy")
        await asyncio.gather(*steps)
        assert order[3:] == ["step-3", "step-4"]

    told(story)


def test_a_step_that_is_cancelled_on_its_way_back_has_a_slot_to_give() -> None:
    async def story() -> None:
        slots = Slots(1)
        slots.take("noisy")

        async def wait() -> None:
            async with slots.lent("noisy"):
                slots.take("other")

        step = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert not step.done()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        slots.give_back("noisy")
        assert not slots.has_room("noisy"), "the other one has it"
        slots.give_back("other")
        assert slots.has_room("noisy")

    told(story)
