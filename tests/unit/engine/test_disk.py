"""Who waits for the disk, while the loop goes on?"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from dormouse.engine.disk import DiskThread


def test_each_work_is_done_in_its_order_by_one_thread_and_the_loop_is_told() -> None:
    order: list[object] = []

    async def run() -> None:
        disk, all_done = DiskThread(), asyncio.Event()
        for _ in range(3):
            disk.do(lambda: order.append(threading.current_thread().name), order.append)
        disk.do(lambda: None, lambda _: all_done.set())
        await all_done.wait()
        disk.stop()

    asyncio.run(run())
    assert [one for one in order if one is not None] == ["dormouse-commit"] * 3
    assert order.count(None) == 3


def test_what_goes_wrong_is_told_and_the_next_is_done_all_the_same() -> None:
    told: list[Exception | None] = []
    broken = OSError("no space left")

    def fails() -> None:
        raise broken

    async def run() -> None:
        disk, all_done = DiskThread(), asyncio.Event()
        disk.do(fails, told.append)
        disk.do(lambda: None, lambda _: all_done.set())
        await all_done.wait()
        disk.stop()

    asyncio.run(run())
    assert told == [broken]


def test_the_loop_goes_on_once_what_is_done_at_once_has_begun() -> None:
    go_on, over = threading.Event(), threading.Event()

    def slow() -> None:
        go_on.wait(60)
        over.set()

    async def run() -> bool:
        disk, all_done = DiskThread(), asyncio.Event()
        disk.do(slow, lambda _: None)
        threading.Timer(0.01, go_on.set).start()
        disk.do(lambda: None, lambda _: all_done.set(), at_once=True)
        what_was_before_is_over = over.is_set()
        await all_done.wait()
        disk.stop()
        return what_was_before_is_over

    assert asyncio.run(run())


def test_whoever_waits_for_it_is_told_once_and_before_the_loop_goes_on() -> None:
    told: list[Exception | None] = []

    async def run() -> None:
        disk = DiskThread()
        disk.do(lambda: None, told.append)
        disk.wait(60)
        assert told == [None]
        disk.wait(60)  # for nothing
        await asyncio.sleep(0.01)
        disk.stop()

    asyncio.run(run())
    assert told == [None]


def test_nobody_waits_longer_than_they_want_and_the_loop_is_told_all_the_same() -> None:
    go_on = threading.Event()
    told: list[Exception | None] = []

    async def run() -> None:
        disk, all_done = DiskThread(), asyncio.Event()

        def slow() -> None:
            go_on.wait(60)

        def done(error: Exception | None) -> None:
            told.append(error)
            all_done.set()

        disk.do(slow, done)
        disk.wait(0.001)
        assert told == []
        go_on.set()
        await all_done.wait()
        disk.stop()

    asyncio.run(run())
    assert told == [None]


def test_what_ends_in_the_moment_in_which_the_wait_does_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Exception | None] = []
    ended = threading.Event()

    class Late(SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002 - as there
            ended.wait(60)  # the thread has looked whether it is waited for
            raise Empty

    async def run() -> None:
        disk = DiskThread()
        monkeypatch.setattr(disk, "_ended", Late())
        disk.do(lambda: None, told.append)
        threading.Timer(0.05, ended.set).start()
        disk.wait(60)
        assert told == [None]
        disk.stop()

    asyncio.run(run())


def test_it_stops_once_all_is_done() -> None:
    done: list[int] = []

    async def run() -> None:
        disk = DiskThread()
        for number in range(100):
            disk.do(partial(done.append, number), lambda _: None)
        disk.stop()
        assert done == list(range(100))

    asyncio.run(run())


def test_a_loop_that_is_closed_is_told_nothing() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(60)

    async def run() -> DiskThread:
        disk = DiskThread()
        disk.do(slow, lambda _: None)
        begun.wait(60)
        return disk

    disk = asyncio.run(run())
    go_on.set()
    disk.stop()


def test_what_is_done_here_is_done_by_the_loop_which_hears_of_it_in_its_next_round() -> None:
    broken = OSError("no space left")
    told: list[Exception | None] = []
    by: list[str] = []

    def fails() -> None:
        by.append(threading.current_thread().name)
        raise broken

    async def run() -> None:
        disk = DiskThread()
        disk.do_here(lambda: None, told.append)
        disk.do_here(fails, told.append)
        assert not told
        await asyncio.sleep(0)
        disk.stop()

    asyncio.run(run())
    assert told == [None, broken]
    assert by == [threading.current_thread().name]
