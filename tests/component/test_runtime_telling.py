"""Does the runtime tell its keeper what the executions do? The real process, a keeper that listens or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from runtime_pod import RuntimePod

MODULE = """
import asyncio
from pathlib import Path
from dormouse import RetryPolicy, activity, workflow

@activity(retry=RetryPolicy(initial_seconds=600, maximum_seconds=600))
async def fetch() -> None:
    raise ConnectionError("refused")

@workflow
async def fetching() -> None:
    await fetch()

@workflow
async def short() -> str:
    return "done"
"""
FETCHING = {"DORMOUSE_START_WORKFLOW": "fetching"}


def live(folder: Path, scenario: Callable[[RuntimePod], Awaitable[None]], **more: str) -> None:
    async def run() -> None:
        async with RuntimePod(folder, MODULE, **more) as pod:
            await scenario(pod)

    asyncio.run(run())


def test_the_keeper_hears_what_is_waited_for_and_nothing_more_while_that_lasts(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        async def retrying() -> bool:
            return bool(pod.keeper.told) and pod.keeper.told[-1]["executions"]["retrying"] == 1

        pod.keeper.wants_status = True
        await pod.start()
        await pod.until(retrying)
        told = pod.keeper.told[-1]
        assert told["waitingFor"].startswith("main retries fetch at ")
        assert told["waitingFor"].endswith(" (attempt 2) after ConnectionError: refused")
        assert all(one != other for one, other in zip(pod.keeper.told, pod.keeper.told[1:], strict=False))

    live(tmp_path, scenario, **FETCHING)


def test_a_keeper_that_passes_nothing_on_is_told_nothing(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        assert (await pod.ended())[0] == 0
        assert pod.keeper.told == []

    live(tmp_path, scenario, DORMOUSE_START_WORKFLOW="short")


def test_a_keeper_of_another_version_that_does_not_understand_it_disturbs_nothing(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        async def told() -> bool:
            return bool(pod.keeper.told)

        pod.keeper.wants_status = pod.keeper.refuses_status = True
        await pod.start()
        await pod.until(told)
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (0, "Stopped")
        assert len(pod.keeper.told) == 1

    live(tmp_path, scenario, **FETCHING)
