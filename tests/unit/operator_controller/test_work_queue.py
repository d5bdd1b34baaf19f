"""Is each key worked on once, alone, and again when something changed meanwhile? With a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dormouse_operator.controller.work_queue import WorkQueue


@dataclass
class Alarm:
    at: float
    ring: Callable[[], None]
    is_off: bool = False

    def cancel(self) -> None:
        self.is_off = True

    def when(self) -> float:
        return self.at


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.alarms: list[Alarm] = []

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        self.alarms.append(Alarm(self.now + seconds, ring))
        return self.alarms[-1]

    def pass_to(self, now: float) -> None:
        self.now = now
        due = [alarm for alarm in self.alarms if alarm.at <= now and not alarm.is_off]
        self.alarms = [alarm for alarm in self.alarms if alarm not in due]
        for alarm in due:
            alarm.ring()


def taken(queue: WorkQueue[str]) -> list[str]:
    """Everything that is ready now."""
    found: list[str] = []
    while (key := queue.take()) is not None:
        found.append(key)
    return found


def lab() -> tuple[WorkQueue[str], Clock]:
    clock = Clock()
    return WorkQueue(clock.call_later), clock


def test_a_key_that_is_added_twice_is_worked_on_once() -> None:
    queue, _ = lab()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert taken(queue) == ["a", "b"]


def test_a_key_that_is_added_while_it_is_worked_on_waits_for_that_to_end() -> None:
    queue, _ = lab()
    queue.add("a")
    assert taken(queue) == ["a"]
    queue.add("a")
    queue.add("a")
    assert taken(queue) == []
    queue.done("a")
    assert taken(queue) == ["a"]
    queue.done("a")
    assert taken(queue) == []


def test_of_two_times_the_earlier_one_counts() -> None:
    queue, clock = lab()
    queue.add_after("a", 5)
    queue.add_after("a", 2)
    queue.add_after("a", 9)
    clock.pass_to(1.9)
    assert taken(queue) == []
    clock.pass_to(2)
    assert taken(queue) == ["a"]
    queue.done("a")
    clock.pass_to(20)
    assert taken(queue) == []


def test_work_that_comes_earlier_takes_the_place_of_what_was_planned_for_later() -> None:
    queue, clock = lab()
    queue.add_after("a", 5)
    queue.add("a")
    assert taken(queue) == ["a"]
    queue.done("a")
    clock.pass_to(5)
    assert taken(queue) == []


def test_failures_are_taken_again_after_a_pause_that_doubles_and_ends_with_a_success() -> None:
    queue, clock = lab()
    queue.add("a")
    for pause in (0.5, 1, 2, 4, 8, 16, 32, 60, 60):
        assert taken(queue) == ["a"]
        queue.done("a", failed=True)
        clock.pass_to(clock.now + pause - 0.1)
        assert taken(queue) == []
        clock.pass_to(clock.now + 0.1)
    assert taken(queue) == ["a"]
    queue.done("a")
    queue.add("a")
    assert taken(queue) == ["a"]
    queue.done("a", failed=True)
    clock.pass_to(clock.now + 0.5)
    assert taken(queue) == ["a"]


def test_a_change_does_not_wait_for_the_pause_after_a_failure() -> None:
    queue, _ = lab()
    queue.add("a")
    taken(queue)
    queue.done("a", failed=True)
    queue.add("a")
    assert taken(queue) == ["a"]


def test_one_key_of_a_group_waits_for_one_of_each_other_group_and_not_for_all() -> None:
    queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key.partition("/")[0])
    for number in range(3):
        queue.add(f"noisy/{number}")
    queue.add("calm/report")
    assert taken(queue) == ["noisy/0", "calm/report", "noisy/1", "noisy/2"]


def test_a_group_that_is_added_to_all_the_time_gets_no_second_turn_before_the_others() -> None:
    queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key.partition("/")[0])
    for key in ("noisy/0", "noisy/1", "calm/a", "calm/b"):
        queue.add(key)
    order = []
    for number in range(2, 5):
        order.append(queue.take())
        queue.add(f"noisy/{number}")
    assert order == ["noisy/0", "calm/a", "noisy/1"]


def test_the_oldest_of_all_groups_is_told() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock.call_later, lambda: clock.now, lambda key: key.partition("/")[0])
    for key, now in (("noisy/0", 1.0), ("calm/report", 2.0), ("noisy/1", 3.0)):
        clock.now = now
        queue.add(key)
    assert queue.take() == "noisy/0"
    clock.now = 10.0
    assert (queue.load().ready, queue.load().oldest_seconds) == (2, 8.0)


def test_groups_that_may_not_be_worked_on_are_passed_over_and_keep_their_turns() -> None:
    queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key.partition("/")[0])
    for key in ("noisy/0", "noisy/1", "quiet/0"):
        queue.add(key)
    assert queue.take(lambda group: group != "noisy") == "quiet/0"
    assert queue.take(lambda group: group != "noisy") is None
    assert taken(queue) == ["noisy/0", "noisy/1"]
