"""Does a replay check find out whether open executions go on with new code? Real keeper, store, Litestream, runtime."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from keeper_pod import KeeperPod, Workflow, free_port, run

from dormouse_operator.dev.seaweedfs import SeaweedFS

CODE = """
import asyncio
from pathlib import Path

from dormouse import activity, workflow

@activity
async def book(what: str) -> str:
    with Path({ran!r}).open("a") as file:
        file.write(what + "\\n")
    return what

@workflow
async def travel() -> None:
    await book("flight")
    await book("hotel")
    await asyncio.sleep(3600)
"""
BOOKED_TWICE = ("flight", "hotel")


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


class Travelling:
    """A life whose only execution has booked and sleeps, and checks of other code beside it."""

    def __init__(self, pod: KeeperPod) -> None:
        self.pod = pod
        self.ran = pod.folder / "ran"
        self.code = CODE.format(ran=str(self.ran))

    def booked(self) -> tuple[str, ...]:
        return tuple(self.ran.read_text().split())

    def changed(self, *pairs: tuple[str, str]) -> str:
        text = self.code
        for before, after in pairs:
            assert before in text
            text = text.replace(before, after)
        return text

    async def check(self, code: str, **variables: str) -> dict[str, Any]:
        """Both containers, one after the other as a kubelet runs them; what the last of them said."""
        checking = self.pod.workflow.pod(1)  # never started as a keeper
        (checking.folder / "source").mkdir(parents=True)
        (checking.folder / "source" / "user.py").write_text(code)
        checking.volume.mkdir()
        told = {
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "DORMOUSE_ENTRYPOINT": "user",
            "DORMOUSE_SOURCE": str(checking.folder / "source"),
            "DORMOUSE_FIRST_CLAIM": "false",
            **variables,
        }
        said: dict[str, Any] = {}
        for module in ("dormouse.keeper.check", "dormouse.runtime.check"):
            with (checking.folder / "log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", module, env={**checking.environment(), **told}, stdout=log, stderr=log
                )
                code_of_exit = await process.wait()
            log_text = (checking.folder / "log").read_text()
            if (checking.folder / "termination").exists():
                said = checking.farewell()
            assert (code_of_exit == 0) == (not said or said["reason"] == "Replayed"), log_text
            if code_of_exit:
                break
        return said


@asynccontextmanager
async def travelling(workflow: Workflow) -> AsyncIterator[Travelling]:
    pod = await workflow.pod(1).open()
    life = Travelling(pod)
    (pod.folder / "user.py").write_text(life.code)
    port = free_port()
    variables = {
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "DORMOUSE_PORT": str(port),
        "DORMOUSE_ENTRYPOINT": "user",
        "DORMOUSE_SOURCE": str(pod.folder),
        "DORMOUSE_START_WORKFLOW": "travel",
    }
    with (pod.folder / "runtime-log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dormouse.runtime", env={**pod.environment(), **variables}, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(60):
            while not await _sleeps(port):
                assert process.returncode is None, (pod.folder / "runtime-log").read_text()
                await asyncio.sleep(0.1)
        await pod.keeper.barrier()
        yield life
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _sleeps(port: int) -> bool:
    with suppress(OSError):
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/status") as answer:
            return answer.status == 200 and (await answer.json())["sleeping"] == 1
    return False


async def stored(workflow: Workflow) -> set[tuple[str, int]]:
    return {(one.key, one.size) async for one in workflow.store.objects(workflow.prefix)}


def test_code_that_goes_on_with_all_passes_and_nothing_is_written_or_run(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        async with travelling(workflow) as life:
            assert life.booked() == BOOKED_TWICE
            await life.pod.kill()  # so that whatever is written now, the check wrote
            before, current = await stored(workflow), await workflow.current()
            said = await life.check(life.changed(("sleep(3600)", "sleep(60)")))
            assert said["reason"] == "Replayed"
            assert said["open"] == "1"
            assert said["position"].startswith("1/")
            assert said["message"] == f"1 open executions, as they were at {said['position']}, go on with the new spec"
            assert (await stored(workflow), await workflow.current()) == (before, current)
            assert life.booked() == BOOKED_TWICE

    run(story, workflow)


def test_code_that_diverges_is_told_with_the_execution_the_number_and_both_lines(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        async with travelling(workflow) as life:
            swapped = life.changed(
                ('    await book("hotel")\n', ""),
                ('    await book("flight")\n', '    await book("flight")\n\n    await book("train")\n'),
            )
            said = await life.check(swapped)
            assert said["reason"] == "ReplayDiverged"
            count, _, told = said["message"].partition("\n")
            assert count == (
                f"1 of 1 open executions, as they were at {said['position']}, cannot go on with the new spec:"
            )
            assert told.startswith(
                'execution main: the log says ActivityScheduled book["hotel"] as number 2 at user.py:16, '
                'the code asks for ActivityScheduled book["train"] as number 2 at user.py:17. '
            )
            assert "patched" in told
            current = await workflow.current()
            assert (current.epoch, current.state) == (1, "Active")
            await life.pod.keeper.barrier()  # that life goes on
            assert life.booked() == BOOKED_TWICE

    run(story, workflow)


def test_what_keeps_a_check_from_running_is_told_and_never_passes(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        async with travelling(workflow) as life:
            broken = await life.check("import nothing_of_the_kind\n")
            assert broken["reason"] == "EntrypointFailed"
            assert "nothing_of_the_kind" in broken["message"]
            calls = f"import socket\nsocket.create_connection(('127.0.0.1', {free_port()}))\n" + life.code
            reached = await life.check(calls)
            assert reached["reason"] == "EntrypointFailed"
            assert "there is no network in a replay check" in reached["message"]
            another = await life.check(life.code, DORMOUSE_SOURCE_SHA256="0" * 64)
            assert another["message"] == "the mounted source is not yet the one that is to be checked"
            nobody = f"http://127.0.0.1:{free_port()}"
            silent = await life.check(life.code, DORMOUSE_STORE_ENDPOINT=nobody)
            assert silent["reason"] == "StoreUnreachable"
            lacking = await life.check(life.code, DORMOUSE_NAME="another")
            assert lacking["reason"] == "CurrentMissing"
            taken = await life.check(life.code, DORMOUSE_WORKFLOW_UID="another")
            assert taken["reason"] == "NameTaken"

    run(story, workflow)


def test_a_workflow_that_never_held_data_has_nothing_to_replay(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        life = Travelling(workflow.pod(1))
        said = await life.check(life.code, DORMOUSE_FIRST_CLAIM="true")
        assert said["reason"] == "Replayed"
        assert "no data yet" in said["message"]
        assert await stored(workflow) == set()
        assert json.dumps(said).count("position") == 0

    run(story, workflow)
