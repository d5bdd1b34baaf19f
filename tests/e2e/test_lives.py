"""Does a workflow go on whatever happens to its pod? One fault a test, on one node or another."""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.plan.obstacles import obstacle_of
from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]


def test_a_workflow_runs_to_its_end_and_says_so(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, steps=10).apply()
    assert one.finish() == []
    assert one.status()["phase"] == "Completed"
    assert one.status()["epoch"] == 1
    assert {attempt.epoch for attempt in one.attempts()} == {1}
    assert one.pod()["status"]["phase"] == "Succeeded"


def test_a_pod_deleted_half_way_seals_and_is_replaced(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    cluster.kubectl("--namespace", namespace, "delete", "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(2)
    assert one.finish() == []
    first = one.stored.current().lineage[0]
    assert first.sealed_txid is not None


def test_a_pod_deleted_without_grace_is_replaced_and_nothing_acknowledged_runs_again(
    cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    pod = one.pod()["metadata"]["name"]
    cluster.kubectl("--namespace", namespace, "delete", "pod", pod, "--force", "--grace-period=0")
    one.wait_for_epoch(2)
    assert one.finish() == []


def test_suspended_it_rests_without_a_pod_and_goes_on_when_resumed(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    one.patch(operatingMode="Suspended")
    eventually("no pod is left", lambda: not one.pods(), seconds=90)
    eventually("it says so", lambda: one.status()["phase"] == "Suspended", seconds=30)
    rested = one.reached()
    one.patch(operatingMode="Running")
    one.wait_for_steps()
    assert one.finish() == []
    assert one.reached() > rested


def test_a_changed_template_is_rolled_through_a_seal(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    template = one.manifest()["spec"]["template"]
    one.patch(template={**template, "metadata": {"labels": {"changed": "yes"}}})
    one.wait_for_epoch(2)
    assert one.pod()["metadata"]["labels"]["changed"] == "yes"
    assert one.finish() == []
    assert one.stored.current().lineage[0].sealed_txid is not None


AN_HOUR_BEHIND = """

_right_ns = time.time_ns
time.time_ns = lambda: _right_ns() - 3600 * 1_000_000_000
"""


def test_a_life_whose_clock_is_an_hour_behind_goes_on_at_once(cluster: Cluster, namespace: str) -> None:
    # So few steps have no timers: one that was set before would wait for its moment.
    one = ChainWorkflow(cluster, namespace, steps=6)
    source = one.manifest()["spec"]["source"]["inline"]
    stays_in_step_3 = source.replace("asyncio.sleep(seconds)", "asyncio.sleep(seconds if step < 3 else 3600)")
    assert stays_in_step_3 != source
    one.spec = {"source": {"inline": stays_in_step_3}}
    one.apply().wait_for_steps(4)
    one.patch(source={"inline": source + AN_HOUR_BEHIND})
    assert one.finish() == []
    before, behind = ([each for each in one.attempts() if each.epoch == epoch] for epoch in (1, 2))
    assert {each.step for each in before} == {0, 1, 2, 3}
    assert {each.step for each in behind} == {3, 4, 5}, "what was acknowledged does not run again"
    assert max(each.at_ns for each in behind) < min(each.at_ns for each in before), "its clock was wrong"


@pytest.mark.long
@pytest.mark.timeout(500)
def test_a_pod_evicted_for_the_size_of_its_volume_goes_on_when_the_limit_is_raised(
    cluster: Cluster, namespace: str
) -> None:
    storage = {"volume": {"sizeLimit": "1Mi"}}
    # The kubelet looks only every minute or two: it must not be done by then.
    one = ChainWorkflow(
        cluster, namespace, steps=160, step_seconds=1.0, ballast_bytes=1 << 20, spec={"storage": storage}
    )
    one.apply()
    eventually(
        "the eviction is told",
        lambda: one.status().get("lastFailure", {}).get("reason") == "Evicted",
        seconds=150,
    )
    assert "exceeds" in one.status()["lastFailure"]["message"]
    one.patch(storage={**one.manifest()["spec"]["storage"], "volume": {"sizeLimit": "1Gi"}})
    assert one.finish(seconds=300) == []


def test_a_runtime_killed_for_its_memory_starts_again_in_place(cluster: Cluster, namespace: str) -> None:
    limit = {"resources": {"limits": {"memory": "160Mi"}}}
    one = ChainWorkflow(cluster, namespace, steps=40, hungry_at=20, runtime=limit).apply()
    assert one.finish() == []
    runtime = one.pod()["status"]["containerStatuses"][0]
    assert runtime["restartCount"] == 1
    assert {attempt.epoch for attempt in one.attempts()} == {1}


def test_an_image_that_does_not_exist_is_told_and_mended_by_a_change(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, steps=10, spec={"image": "localhost/no-such-image:1"}).apply()
    told = one.wait_for_condition("Ready", "False", "ErrImagePull")
    assert "`localhost/no-such-image:1`" in told
    assert "correct spec.image, or imagePullSecrets in spec.template" in told

    def backs_off() -> dict[str, Any]:
        (runtime,) = one.pod()["status"]["containerStatuses"]
        return dict(runtime) if runtime["state"]["waiting"]["reason"] == "ImagePullBackOff" else {}

    # Between two pulls a real kubelet repeats how the last one failed; the condition says that all the time.
    obstacle = obstacle_of({}, eventually("the kubelet waits", backs_off, seconds=60))
    assert obstacle is not None
    assert obstacle.reason == "ErrImagePull"
    one.patch(image=None)
    assert one.finish() == []
