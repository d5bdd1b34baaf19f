"""How is a story played on the real cluster? By hands that reach its nodes, its store and its operator from outside."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
from cluster_story import ClusterAct, ClusterStory, Hit
from history import Attempt
from obstore.exceptions import BaseError
from telling import Told
from verdict import Register, Restored, Verdict, judge

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator, installed
from e2e.running_cluster import HACK_CLUSTER, Cluster, eventually, hack_cluster

MAX_LAG_SECONDS = 3
_SLACK_SECONDS = 0.5
_STEPS_AN_ACT = 120
_REACHED_SECONDS = 240.0


@contextmanager
def playing_on_cluster(folder: Path) -> Iterator[Callable[[ClusterStory], Told]]:
    """The cluster of `hack/cluster` with the operator and the images of this tree, left as it was found.

    Of a round that did not keep its promises the folder has the logs.
    """
    was_up = subprocess.run([HACK_CLUSTER, "status"], capture_output=True, check=False).returncode == 0
    cluster = Cluster.up()
    namespace = f"chaos-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})

    def play(story: ClusterStory) -> Told:
        told = _play(story, operator, namespace)
        if not told.kept:
            _keep_logs(operator, namespace, folder / str(story.seed))
        return told

    try:
        with installed(cluster, namespace) as operator:
            yield play
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        if not was_up:
            hack_cluster("down", seconds=120)


def _play(story: ClusterStory, operator: InstalledOperator, namespace: str) -> Told:
    """Play the story and judge the results of its workflows, which the store holds sealed."""
    cluster = operator.cluster
    ones = [
        ChainWorkflow(
            cluster, namespace, steps=_STEPS_AN_ACT * len(story.acts), step_seconds=0.1,
            durability=story.durability, max_lag_seconds=MAX_LAG_SECONDS, name=f"chaos-{story.seed}-{number}",
        )
        for number in range(story.chains)
    ]  # fmt: skip
    stuck = ""
    try:
        for one in ones:
            one.apply()
        for act in story.acts:
            ones[0].wait_for_steps(act.after_steps, _REACHED_SECONDS)
            _hit(act, ones[0], operator)
        for one in ones:
            one.wait_for_condition("Completed", seconds=_REACHED_SECONDS)
    except (AssertionError, subprocess.SubprocessError) as problem:
        stuck = str(problem)
    attempts = {number: one.attempts() for number, one in enumerate(ones)}
    register = Register(attempts)
    verdict = Verdict()  # of what does not come to its end there is no result to compare with
    if not stuck:
        verdict = judge(register, _restored(ones), story.durability, MAX_LAG_SECONDS + _SLACK_SECONDS)
        for one in ones:
            one.delete()
    return Told(
        story,
        verdict,
        register.acknowledged(),
        failovers=sum(_lives(each) - 1 for each in attempts.values() if each),
        stuck=stuck,
    )


def _keep_logs(operator: InstalledOperator, namespace: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "operator.log").write_text(operator.logs())
    inside = ("--namespace", namespace)
    (folder / "objects.yaml").write_text(operator.cluster.kubectl(*inside, "get", "dwf,pods,events", "--output=yaml"))
    pods = operator.cluster.get(*inside, "pods")["items"]
    for name in (pod["metadata"]["name"] for pod in pods):
        told = operator.cluster.try_kubectl(*inside, "logs", name, "--all-containers", "--timestamps")
        (folder / f"{name}.log").write_text(told.stdout + told.stderr)


def _restored(ones: Sequence[ChainWorkflow]) -> Restored:
    """What Litestream alone restores of each, with its full integrity check."""
    rows: list[tuple[int, int, str]] = []
    problems = []
    for number, one in enumerate(ones):
        try:
            result = one.stored.result()
        except subprocess.CalledProcessError as error:
            problems.append(f"{one.name} cannot be restored: {error.stderr[-300:].decode()}")
            continue
        if len(result) != one.steps:
            problems.append(f"{one.name} ended after {len(result)} of {one.steps} steps")
        rows += [(number, step, token) for step, token in enumerate(result)]
    return Restored(rows, problems=problems)


def _lives(attempts: Sequence[Attempt]) -> int:
    return len({attempt.epoch for attempt in attempts})


def _hit(act: ClusterAct, one: ChainWorkflow, operator: InstalledOperator) -> None:
    """Do it, and wait until the cluster is whole again."""
    cluster, pod = one.cluster, one.pod()
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    epoch = int(pod["metadata"]["labels"]["dormouse.dev/epoch"])
    in_namespace = ("--namespace", one.namespace)
    match act.hit:
        case Hit.KILL_RUNTIME:
            cluster.kill_container(node, _container(pod, "runtime"))
        case Hit.KILL_KEEPER:
            cluster.kill_container(node, _container(pod, "litestream"))
        case Hit.KILL_OPERATOR:
            leader = operator.leader()
            cluster.kill_container(leader["spec"]["nodeName"], leader["status"]["containerStatuses"][0]["containerID"])
        case Hit.STOP_KUBELET:
            with cluster.stopped(f"{node}/kubelet"):
                time.sleep(act.seconds)
        case Hit.STORE_DOWN:
            with cluster.stopped(cluster.store_program):
                time.sleep(act.seconds)
        case Hit.CUT_FROM_STORE:
            with cluster.cut(node, "store"):
                time.sleep(act.seconds)
        case Hit.DELETE:
            cluster.kubectl(*in_namespace, "delete", "pod", name, "--wait=false")
        case Hit.DELETE_NOW:
            cluster.kubectl(*in_namespace, "delete", "pod", name, "--force", "--grace-period=0")
        case Hit.DRAIN:
            with _drained(cluster, node):
                one.wait_for_epoch(epoch + 1, _REACHED_SECONDS)
        case Hit.CUT_OFF | Hit.CUT_FROM_API:
            with cluster.cut(node, "all" if act.hit is Hit.CUT_OFF else "api"):
                one.wait_for_epoch(epoch + 1, _REACHED_SECONDS)
                one.wait_for_steps()
    eventually("the store answers", lambda: _answers(cluster), seconds=_REACHED_SECONDS)
    for each in cluster.nodes:
        eventually(f"{each} is Ready", lambda each=each: cluster.is_ready(each), seconds=_REACHED_SECONDS)  # type: ignore[misc] # a default binds it
    operator.wait_until_available()


def _answers(cluster: Cluster) -> bool:
    try:
        obstore.list_with_delimiter(cluster.bucket(retries=0))
    except BaseError:
        return False
    return True


@contextmanager
def _drained(cluster: Cluster, node: str) -> Iterator[None]:
    """Every workflow has left the node, to which none comes back before the end of the block."""
    try:
        cluster.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s",
            "--pod-selector=dormouse.dev/name", seconds=190,
        )  # fmt: skip
        yield
    finally:
        cluster.kubectl("uncordon", node)


def _container(pod: dict[str, Any], name: str) -> str:
    status = pod["status"]
    every = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
    found: str = next(each["containerID"] for each in every if each["name"] == name)
    return found
