"""Does the operator keep workflows running on a cluster? Real kopf and a real store; the test is the kubelet."""

from __future__ import annotations

from typing import Any

import pytest
from operator_api_documents import Document
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import SealReason
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def test_an_applied_workflow_gets_a_pod_and_shows_that_it_runs(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            status = made.status()
            assert (status["epoch"], status["podName"], status["claimed"]) == (1, "report-e1", True)
            assert made.condition("Ready")["status"] == "True"
            (owner,) = made.server.get("pods", "report-e1")["metadata"]["ownerReferences"]
            assert (owner["name"], owner["controller"]) == ("report", True)
            assert made.source()["data"] == {"pipeline.py": "print('hello')\n"}
            await made.server.until(lambda: "PodCreated" in made.reasons())

    tell(story)


def test_that_a_life_runs_and_where_it_came_from_is_one_write(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store()
            await made.apply()
            await made.server.until(lambda: "report-e1" in made.server.names("pods"))
            await made.claim("report-e1")
            await made.calm()
            before = len(made.server.requests)
            await made.tell("report-e1", "Running", ready=True)
            await made.server.until(lambda: bool(made.status().get("claimedAt")))
            await made.calm()
            written = [each for each in made.server.requests[before:] if "/status" in each]
            assert (len(written), made.status()["phase"]) == (1, "Running")

    tell(story)


def test_a_pod_that_is_gone_is_replaced_by_the_next_epoch(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            assert made.status()["lastFailure"]["reason"] == "PodGone"

    tell(story)


def test_a_workflow_whose_executions_are_closed_and_sealed_is_completed(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.seal(SealReason.COMPLETED)
            said: dict[str, Any] = {"reason": "Completed", "result": "succeeded", "position": "1/9"}
            await made.tell("report-e1", "Succeeded", said=said)
            await made.server.until(lambda: made.condition("Completed").get("status") == "True")
            assert made.condition("Completed")["reason"] == "Succeeded"
            assert made.server.names("pods") == ["report-e1"]

    tell(story)


def test_a_suspended_workflow_rests_and_goes_on_when_it_is_resumed(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.apply(operatingMode="Suspended")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.seal(SealReason.STOPPED)
            await made.server.remove("pods", "report-e1")
            await made.phase("Suspended")
            await made.apply()
            await made.runs("report-e2")
            await made.phase("Running")

    tell(story)


def test_a_changed_spec_replaces_the_pod_through_a_seal(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.apply(source={"inline": "print('changed')\n"})
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            assert made.live_pods() == ["report-e1"]
            await made.seal(SealReason.STOPPED)
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            assert made.source()["data"] == {"pipeline.py": "print('changed')\n"}
            assert made.status()["lastSeal"] == {"epoch": 1, "reason": "Stopped"}

    tell(story)


def test_nothing_is_written_once_everything_is_said(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.2):
            await made.running()
            await made.apply("another", operatingMode="Suspended")
            await made.server.until(lambda: made.status("another").get("phase") == "Suspended")
            before = None
            while before != (said := [each for each in made.server.requests if "/status" in each]):
                before = said
                await made.server.lists(2)
                await made.calm()
            await made.server.lists(3)
            assert [each for each in made.server.requests if "/status" in each] == before

    tell(story)


def test_a_config_map_of_somebody_else_is_not_replaced(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        await made.apply()
        name = f"report-source-{made.uid()[:8]}"
        theirs: Document = {"metadata": {"name": name, "namespace": "team"}, "data": {"a": "b"}}
        await made.server.put("configmaps", theirs)
        async with made.operator():
            await made.apply_store()
            await made.server.until(lambda: made.condition("Stalled").get("reason") == "PodRefused")
            assert made.source()["data"] == {"a": "b"}
            assert made.server.names("pods") == []
            assert "rename or delete it" in made.condition("Stalled")["message"]
            await made.server.remove("configmaps", name)
            await made.server.until(lambda: bool(made.live_pods()))
            assert made.server.names("pods") == ["report-e1"], "nothing ever lived in that epoch"

    tell(story)


def test_the_source_of_a_deleted_workflow_does_not_stand_in_the_way_of_the_next_of_its_name(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.remove("pods", "report-e1")
            await made.server.remove("durableworkflows", "report")  # and no garbage collector has come by yet
            await made.apply(adoptionPolicy="Released", source={"inline": "print('another')\n"})
            await made.server.until(lambda: bool(made.live_pods()))
            assert made.source()["data"] == {"pipeline.py": "print('another')\n"}
            assert len(made.server.names("configmaps")) == 2

    tell(story)


def test_a_secret_that_appears_later_is_found(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse_operator.controller.stores._ASK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr("dormouse_operator.controller.credentials._ABSENT_SECONDS", 0.1)

    async def story(made: Fleet) -> None:
        await made.apply_store()
        secret = made.server.get("secrets", "local")
        await made.server.remove("secrets", "local")
        async with made.operator():
            await made.apply()
            await made.phase("Stalled")
            assert made.condition("Ready")["reason"] == "SecretNotFound"
            await made.server.until(
                lambda: made.condition("Available", "local", "objectstores").get("reason") == "SecretNotFound"
            )
            await made.calm()
            await made.server.put("secrets", secret)
            await made.runs("report-e1")
            await made.phase("Running")

    tell(story)


def test_an_object_that_is_older_than_a_rule_is_told_so_and_can_be_deleted(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store()
            await made.apply(template={"spec": {"hostNetwork": True}})
            await made.phase("Stalled")
            assert made.condition("Ready")["reason"] == "InvalidTemplate"
            assert "spec.template.spec.hostNetwork" in made.condition("Ready")["message"]
            await made.server.change(
                "durableworkflows", "report", lambda one: one["metadata"].update(finalizers=["dormouse.dev/data"])
            )
            await made.server.delete("durableworkflows", "report")
            await made.gone()

    tell(story)
