"""Is a workflow kept from the outside, and does it hear what to do instead?"""

from __future__ import annotations

import asyncio
import os
import pdb  # noqa: T100 - it is not to be had
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import until_asleep

from dormouse import Engine, ExecutionFailed, Signal, Workflow, activity, now, workflow
from dormouse.engine.clock import ManualClock

go_on = Signal("go_on")


def outcome(path: Path, definition: Workflow[[], Any]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", [definition]) as engine:
            return await (await engine.start(definition)).result()

    return asyncio.run(run())


OUTSIDE: dict[str, Callable[[Path], object]] = {
    "touch files": lambda path: (path / "file").read_text(),
    "touch files ": os.listdir,
    "touch files  ": lambda path: (path / "folder").mkdir(),
    "use the network": lambda _: socket.socket(),
    "use the network ": lambda _: socket.getaddrinfo("localhost", 80),
    "start threads": lambda _: threading.Thread(target=print).start(),
    "start or signal processes": lambda _: subprocess.run([sys.executable, "-c", ""], check=False),
    "start or signal processes ": lambda _: os.system("true"),
    "start or signal processes  ": lambda _: os.kill(os.getpid(), 0),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_the_outside_is_refused_to_a_workflow_and_open_to_an_activity(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").touch()
    reach = OUTSIDE[what]

    @activity
    async def reaches() -> None:
        result = reach(tmp_path)
        if isinstance(result, socket.socket):
            result.close()

    @workflow
    async def obedient() -> None:
        await reaches()

    @workflow
    async def reaches_out() -> None:
        reach(tmp_path)

    outcome(tmp_path, obedient)
    with pytest.raises(ExecutionFailed, match=rf"a workflow must not {what.strip()} itself.* in an @activity"):
        outcome(tmp_path, reaches_out)


def test_a_debugger_is_refused_by_the_name_of_one_that_works(tmp_path: Path) -> None:
    @workflow
    async def stops() -> None:
        pdb.Pdb().set_trace()  # as `breakpoint()` begins, which pytest has taken over

    with pytest.raises(ExecutionFailed, match="cannot stop in pdb while it runs: `dormouse debug FILE --code CODE`"):
        outcome(tmp_path, stops)


def test_modules_may_be_imported_in_a_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text("VALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)

    @workflow
    async def imports() -> int:
        import imported_late  # type: ignore[import-not-found]

        return int(imported_late.VALUE)

    assert outcome(tmp_path, imports) == 7


def test_the_clock_stands_still_in_a_workflow_and_in_its_replay_and_goes_on_elsewhere(tmp_path: Path) -> None:
    clock = ManualClock()
    seen: list[tuple[float, int]] = []

    @workflow
    async def looks() -> bool:
        seen.append((time.time(), time.time_ns()))
        await go_on.receive()
        return time.time() == now().timestamp()

    async def life(*, ends: bool) -> None:
        async with Engine(tmp_path / "db.sqlite", [looks], clock=clock) as engine:
            handle = await engine.start(looks, id="one")
            await until_asleep(engine)
            assert time.time() > 1_700_100_000
            clock.advance(60)
            if ends:
                await handle.signal(go_on)
                assert await handle.result()

    asyncio.run(life(ends=False))
    asyncio.run(life(ends=True))
    assert seen == [(1_700_000_000.0, 1_700_000_000_000_000_000)] * 2
