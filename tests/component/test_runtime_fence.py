"""Does no attempt begin that rests on an old proof of ownership? The real process, a keeper that stops proving."""

from __future__ import annotations

from pathlib import Path

import pytest
from runtime_pod import RuntimePod
from test_runtime_life import live, notes

MODULE = """
import asyncio
from pathlib import Path
from dormouse import RetryPolicy, activity, workflow

HERE = Path(__file__).parent

@activity(retry=RetryPolicy(initial_seconds=2, jitter=0.0))
async def fail_until_told(name: str) -> str:
    with (HERE / "notes").open("a") as notes:
        print(name, file=notes)
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    if not (HERE / "succeed").exists():
        raise OSError("not yet")
    return name

@workflow
async def trying(name: str) -> str:
    return await fail_until_told(name)
"""
FENCED = {"DORMOUSE_START_WORKFLOW": "trying", "DORMOUSE_START_INPUT": '"a"', "DORMOUSE_FENCE_SECONDS": "1"}


async def waits_for_a_proof(pod: RuntimePod, frozen: bool) -> None:
    """One attempt was made and failed; when the next one is due, the last proof is older than the bound."""

    async def tries() -> bool:
        return notes(pod) == ["a"]

    async def waits() -> bool:
        return "no attempt begins" in pod.output.read_text()

    await pod.start()
    await pod.until(tries)
    pod.keeper.owns = False
    if frozen:
        pod.keeper.freeze()
    (pod.source / "go").touch()
    await pod.until(waits)
    (pod.source / "succeed").touch()
    assert notes(pod) == ["a"]


@pytest.mark.parametrize("frozen", [False, True])
def test_no_attempt_begins_that_nobody_proves_this_pod_may_make(tmp_path: Path, frozen: bool) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await waits_for_a_proof(pod, frozen)
        pod.keeper.thaw()
        assert (await pod.ended())[0] == 0
        assert notes(pod) == ["a", "a"]

    live(tmp_path, scenario, MODULE, **FENCED)


def test_an_attempt_that_waited_for_a_proof_is_not_recorded_when_its_life_is_over(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await waits_for_a_proof(pod, frozen=False)
        pod.keeper.fence()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "Fenced")
        pod.keeper.thaw()
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["result"]) == (0, "succeeded")
        assert notes(pod) == ["a", "a"]

    live(tmp_path, scenario, MODULE, **FENCED)
