"""Does data go on under a new workflow of its name, and only when both agreed? Real keepers, runtimes and store."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from keeper_pod import KeeperPod, Workflow, free_port, run

from dormouse.replica.current import Former, State, encode
from dormouse.replica.store import StoredObject
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.store.release import Leaving, release

MODULE = """
import asyncio
from pathlib import Path
from dormouse import activity, workflow

@activity
async def note(name: str) -> str:
    with (Path(__file__).parent / "notes").open("a") as notes:
        notes.write(name + "\\n")
    return name

@workflow
async def both(pause: float) -> list[str]:
    first = await note("first")
    await asyncio.sleep(pause)
    return [first, await note("second")]

@workflow
async def other() -> str:
    return await note("other")
"""
START = {"DORMOUSE_START_WORKFLOW": "both", "DORMOUSE_START_INPUT": "0.2"}
ANOTHER_START = {"DORMOUSE_START_WORKFLOW": "other"}
ADOPTS = {"DORMOUSE_ADOPT_RELEASED": "true"}


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    (tmp_path / "user.py").write_text(MODULE)
    return Workflow(seaweedfs, tmp_path)


@dataclass
class Runtime:
    """The main container beside a keeper."""

    pod: KeeperPod

    async def run(self, **start: str) -> dict[str, Any]:
        """To its end; its termination message."""
        log = self.pod.folder / "runtime-termination"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dormouse.runtime", env=self._environment(str(log), start)
        )
        try:
            assert await asyncio.wait_for(process.wait(), 60) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        said: dict[str, Any] = json.loads(log.read_bytes())
        return said

    def _environment(self, log: str, start: dict[str, str]) -> dict[str, str]:
        return {
            **self.pod.environment(),
            **start,
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DORMOUSE_TERMINATION_LOG": log,
            "DORMOUSE_PORT": str(free_port()),
            "DORMOUSE_ENTRYPOINT": "user",
            "DORMOUSE_SOURCE": str(self.pod.workflow.folder),
        }


def notes(workflow: Workflow) -> list[str]:
    return (workflow.folder / "notes").read_text().split()


async def leave(workflow: Workflow, policy: Literal["Retain", "Delete"], epoch: int, uid: str = "") -> None:
    """What the operator does once the pods of a deleted workflow have ended."""
    await release(workflow.store, workflow.layout, Leaving(uid or workflow.uid, policy, epoch), seconds=60)


def new(workflow: Workflow, epoch: int, uid: str = "new", **variables: str) -> KeeperPod:
    """A pod of a new object of the same name."""
    return workflow.pod(epoch, **{"DORMOUSE_WORKFLOW_UID": uid, "DORMOUSE_FIRST_CLAIM": "true", **variables})


async def completed(workflow: Workflow) -> dict[str, Any]:
    """The first owner of the name runs to its end."""
    pod = await workflow.pod(1).open()
    said = await Runtime(pod).run(**START)
    await pod.kill()
    return said


def test_a_name_is_refused_after_retain_and_adopted_when_asked_for(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("left behind")
        await pod.keeper.barrier()
        await pod.terminate()
        await leave(workflow, "Retain", 1)

        refusal = await new(workflow, 2).refusal()
        assert refusal["reason"] == "NameTaken"
        assert "adoptionPolicy: Released" in refusal["message"]

        assert (await new(workflow, 1, **ADOPTS).refusal())["seen"] == 1
        heir = await new(workflow, 2, **ADOPTS).open()
        assert heir.notes() == ["left behind"]
        assert (await heir.keeper.gate()).identity == workflow.uid
        current = await workflow.current()
        assert (current.workflow_uid, current.adopted_from) == ("new", (Former(workflow.uid, 1),))

    run(story, workflow)


def test_who_let_go_is_refused_for_good(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await (await workflow.pod(1).open()).terminate()
        await leave(workflow, "Retain", 1)
        assert (await workflow.pod(2, **ADOPTS).refusal())["reason"] == "Released"
        await (await new(workflow, 2, **ADOPTS).open()).terminate()
        await leave(workflow, "Retain", 2, "new")
        assert (await workflow.pod(3, **ADOPTS).refusal())["reason"] == "Released"
        await new(workflow, 3, "third", **ADOPTS).open()

    run(story, workflow)


def test_a_name_is_new_after_delete_and_its_epochs_go_on_above_the_tombstone(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        assert (await completed(workflow))["result"] == "succeeded"
        await leave(workflow, "Delete", 3)
        assert (await new(workflow, 1).refusal())["seen"] == 3
        pod = await new(workflow, 4).open()
        life = await pod.keeper.gate()
        assert (life.identity, life.restored_from) == ("new", None)
        assert (await Runtime(pod).run(**START))["result"] == "succeeded"
        assert notes(workflow) == ["first", "second"] * 2

    run(story, workflow)


def test_an_adopted_workflow_goes_on_where_it_was_and_starts_nothing(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        cut_short = asyncio.create_task(Runtime(pod).run(**{**START, "DORMOUSE_START_INPUT": "4"}))
        async with asyncio.timeout(60):
            while not (workflow.folder / "notes").exists():
                await asyncio.sleep(0.02)
        await pod.keeper.barrier()
        cut_short.cancel()
        await asyncio.wait({cut_short})
        await pod.terminate()
        await leave(workflow, "Retain", 1)

        heir = await new(workflow, 2, **ADOPTS).open()
        said = await Runtime(heir).run(**ANOTHER_START)
        assert (said["reason"], json.loads(said["output"])) == ("Completed", ["first", "second"])
        assert notes(workflow) == ["first", "second"]

    run(story, workflow)


def test_an_adopted_workflow_that_was_completed_is_completed_again_with_the_result_it_had(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        before = await completed(workflow)
        await leave(workflow, "Retain", 1)
        heir = await new(workflow, 2, **ADOPTS).open()
        again = await Runtime(heir).run(**ANOTHER_START)
        assert (again["reason"], again["result"], again["output"]) == ("Completed", "succeeded", before["output"])
        current = await workflow.current()
        assert (current.workflow_uid, current.state, str(current.seal_reason)) == ("new", State.SEALED, "Completed")
        assert notes(workflow) == ["first", "second"]

    run(story, workflow)


def test_a_deletion_that_a_lost_cluster_left_half_way_is_taken_over(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("was to be deleted")
        await pod.keeper.barrier()
        await pod.kill()
        half_way = (await workflow.current()).next("half-way", state=State.DELETING)
        found = await workflow.store.get(workflow.layout.current)
        assert isinstance(found, StoredObject)
        await workflow.store.put(workflow.layout.current, encode(half_way), found.etag)
        refusal = await new(workflow, 2, **ADOPTS).refusal()
        assert refusal["reason"] == "Deleting"
        assert f"storage.takeOverFrom: {workflow.uid}" in refusal["message"]
        heir = await new(workflow, 2, DORMOUSE_TAKE_OVER_FROM=workflow.uid).open()
        life = await heir.keeper.gate()
        assert (life.identity, life.restored_from) == ("new", None)

    run(story, workflow)
