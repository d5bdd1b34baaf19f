"""Does the operator keep a changed spec out of pods until it has replayed? Real kopf; the test is the kubelet."""

from __future__ import annotations

from typing import Any

import pytest
from operator_api_documents import Document
from operator_fleet import Fleet, Tell, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

CHECKED: dict[str, Any] = {"updatePolicy": {"type": "Immediate", "replayCheck": True}}
DIVERGED = {"reason": "ReplayDiverged", "message": "execution main: the log says this, the code that"}
PASSED = {"reason": "Replayed", "message": "all go on"}


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def running(made: Fleet) -> None:
    await made.apply_store()
    await made.apply(**CHECKED)
    await made.runs("report-e1")
    await made.phase("Running")


async def change(made: Fleet, text: str) -> None:
    await made.apply(**CHECKED, source={"inline": f"print('{text}')\n"})


def checks(made: Fleet) -> list[str]:
    return [name for name in made.server.names("pods") if "-check-" in name]


async def check(made: Fleet, besides: tuple[str, ...] = ()) -> str:
    await made.server.until(lambda: any(name not in besides for name in checks(made)))
    (name,) = [name for name in checks(made) if name not in besides]
    return name


async def says(made: Fleet, reason: str) -> None:
    await made.server.until(lambda: made.condition("UpToDate").get("reason") == reason)


def mounted(made: Fleet, pod: str) -> Document:
    """What the ConfigMap holds that the pod has as its source."""
    volumes = {volume["name"]: volume for volume in made.server.get("pods", pod)["spec"]["volumes"]}
    data: Document = made.server.get("configmaps", volumes["source"]["configMap"]["name"])["data"]
    return data


def test_a_change_that_diverges_stays_out_also_of_the_pod_after_a_lost_one_and_the_next_one_rolls(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await running(made)
            await change(made, "diverges")
            first = await check(made)
            assert mounted(made, first) == {"pipeline.py": "print('diverges')\n"}
            assert mounted(made, "report-e1") == {"pipeline.py": "print('hello')\n"}
            await made.tell(first, "Failed", said=DIVERGED)
            await says(made, "ReplayDiverged")
            await made.server.until(lambda: "ReplayDiverged" in made.reasons())
            await made.calm()
            assert made.live_pods() == ["report-e1"]

            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            assert mounted(made, "report-e2") == {"pipeline.py": "print('hello')\n"}
            await made.phase("Running")
            await says(made, "ReplayDiverged")

            await change(made, "goes on")
            second = await check(made, besides=(first,))
            await made.tell(second, "Succeeded", said=PASSED)
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e2")["metadata"])
            await made.server.until(lambda: "Replayed" in made.reasons())
            await made.obey_deletions()
            await made.runs("report-e3")
            assert mounted(made, "report-e3") == {"pipeline.py": "print('goes on')\n"}
            await says(made, "UpToDate")
            await made.obey_deletions()
            assert checks(made) == []

    tell(story)


def test_a_new_operator_goes_on_with_the_check_of_its_predecessor(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await running(made)
            await change(made, "changed")
            name = await check(made)
            await made.tell(name, "Running")
        async with made.operator("second", relist_seconds=0.2):
            await made.server.lists(2)
            await made.calm()
            assert checks(made) == [name]
            await made.tell(name, "Failed", said=DIVERGED)
            await says(made, "ReplayDiverged")
            assert made.live_pods() == ["report-e1"]

    tell(story)


def test_a_check_that_somebody_deletes_is_made_anew(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await running(made)
            await change(made, "changed")
            name = await check(made)
            await made.tell(name, "Failed", said=DIVERGED)
            await says(made, "ReplayDiverged")
            before = made.server.get("pods", name)["metadata"]["uid"]
            await made.server.remove("pods", name)
            await made.server.until(
                lambda: name in checks(made) and made.server.get("pods", name)["metadata"]["uid"] != before
            )
            await says(made, "ReplayChecking")

    tell(story)
