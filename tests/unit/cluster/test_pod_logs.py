"""Are the logs read of one pod of a workflow after the other, each once, and is a change of pods said?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.following import Following, Life, Said
from scripted_kubectl import Refusal, ScriptedKubectl

RUNS: dict[str, Any] = {"running": {}}
ENDED: dict[str, Any] = {"terminated": {}}
WAITS: dict[str, Any] = {"waiting": {}}


def pod(epoch: int, keeper: dict[str, Any] | None = RUNS, runtime: dict[str, Any] = RUNS, restarts: int = 0) -> Any:
    status = {
        "initContainerStatuses": [{"name": "litestream", "state": keeper}],
        "containerStatuses": [{"name": "runtime", "state": runtime, "restartCount": restarts}],
    }
    labels = {"dormouse.dev/epoch": str(epoch)}
    return {"metadata": {"name": f"shop-e{epoch}", "labels": labels}, "status": status}


def life(epoch: int, container: str, restarts: int = 0) -> Life:
    return Life(epoch, f"shop-e{epoch}", container, restarts)


def test_a_container_is_read_from_when_it_runs_and_only_once() -> None:
    following = Following()
    assert following.seen({"metadata": {"name": "shop-e1"}}) == []
    assert following.seen(pod(1, RUNS, WAITS)) == [life(1, "litestream")]
    assert following.seen(pod(1)) == [life(1, "runtime")]
    assert following.seen(pod(1)) == []
    assert following.seen(pod(1, ENDED, ENDED)) == []


def test_a_container_that_begins_again_has_another_log() -> None:
    following = Following()
    following.seen(pod(1))
    assert following.seen(pod(1, restarts=1)) == [life(1, "runtime", 1)]


def test_the_next_pod_is_said_before_it_is_read() -> None:
    following = Following(["runtime"])
    assert following.seen(pod(1)) == [life(1, "runtime")]
    assert following.deleted(pod(1)) == [Said("shop-e1 is gone; its next life is waited for")]
    assert following.deleted(pod(1)) == []
    assert following.seen(pod(2)) == [Said("shop-e1 is followed by shop-e2"), life(2, "runtime")]
    assert following.seen(pod(1)) == [], "an old one that is seen late"
    assert following.deleted(pod(1)) == []


DWF = {"metadata": {"name": "shop", "namespace": "team"}}


def test_the_newest_pod_is_printed_with_its_containers(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(
        {
            "get durableworkflows": DWF,
            "get pods": {"items": [pod(10), pod(9)]},
            "logs shop-e10 --container=litestream --since=10m": "kept\n",
            "logs shop-e10 --container=runtime --since=10m": "one\ntwo\x1b[2J\n",
        }
    )
    ended = CliRunner().invoke(root, ["logs", "shop", "--no-follow", "--since", "10m"])
    assert ended.exit_code == 0, ended.output
    assert ended.output.splitlines()[:2] == ["e10 litestream  kept", "e10 runtime  one"]
    assert "--namespace=team" in kubectl.asked()[1]


def test_both_pods_are_followed_until_kubectl_may_not_watch_any_more(kubectl: ScriptedKubectl) -> None:
    changes = [{"type": "ADDED", "object": pod(1)}, {"type": "DELETED", "object": pod(1)}]
    changes.append({"type": "ADDED", "object": pod(2)})
    kubectl.answers(
        {
            "get durableworkflows": DWF,
            "get pods": Refusal("error: Unauthorized", "".join(json.dumps(one, indent=4) + "\n" for one in changes)),
            "logs": "a line\n",
        }
    )
    ended = CliRunner().invoke(root, ["logs", "shop"])
    assert ended.exit_code == 4
    said = [line for line in ended.output.splitlines() if line.startswith("---")]
    assert said == ["--- shop-e1 is gone; its next life is waited for", "--- shop-e1 is followed by shop-e2"]
    assert "log in to the cluster again" in ended.output


@pytest.mark.parametrize(("items", "options"), [([], []), ([pod(1, WAITS, WAITS)], []), ([pod(1)], ["-c", "sidecar"])])
def test_where_there_is_nothing_to_read_that_is_said(
    kubectl: ScriptedKubectl, items: list[Any], options: list[str]
) -> None:
    kubectl.answers({"get durableworkflows": DWF, "get pods": {"items": items}})
    ended = CliRunner().invoke(root, ["logs", "shop", "--no-follow", *options])
    assert ended.exit_code == 4
    assert "shop has no pod with such a log now; `dormouse status shop` says why" in ended.output
