"""Are the logs read of one pod of a workflow after the other, each once, and is a change of pods said?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.following import Following, Left, Life, Log, Said
from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.refusals import ClusterError, NoAnswer, NotThere
from dormouse.cluster.watching import pause_seconds
from dormouse.commands.logs import read_to_its_end, show
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


def stamped(*lines: str) -> str:
    return "".join(f"2026-11-22T20:00:00.{line}\n" for line in lines)


def test_a_stream_that_broke_off_goes_on_where_it_was_and_shows_no_line_twice(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(
        {
            "--since-time": stamped("000000001Z one", "000000002Z two", "000000002Z more", "000000003Z three"),
            "logs": stamped("000000001Z one", "000000002Z two", "000000002Z more"),
            "get pod shop-e1": pod(1, RUNS, ENDED),
        }
    )
    lines = list(read_to_its_end(Kubectl(), Log(life(1, "runtime")), ["--since=10m"]))
    assert lines == ["one\n", "two\n", "more\n", "three\n"]
    assert [line for line in kubectl.asked() if line.startswith("logs")] == [
        "logs shop-e1 --container=runtime --timestamps --follow --since=10m",
        "logs shop-e1 --container=runtime --timestamps --since-time=2026-11-22T20:00:00.000000002Z",
    ]


def test_a_stream_of_a_container_that_runs_is_followed_again_after_an_error(
    kubectl: ScriptedKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the API server says that the pod is gone."""
    monkeypatch.setattr("dormouse.cluster.watching.PAUSE_SECONDS", 0)
    kubectl.answers(
        {
            "--since-time": Refusal('Error from server (NotFound): pods "shop-e1" not found'),
            "logs": Refusal("error: unexpected EOF", stamped("000000001Z one")),
            "get pod shop-e1": pod(1),
        }
    )
    reading = read_to_its_end(Kubectl(), Log(life(1, "runtime")), [])
    assert next(reading) == "one\n"
    with pytest.raises(NotThere):
        next(reading)
    assert [line for line in kubectl.asked() if "logs" in line][1:] == [
        "logs shop-e1 --container=runtime --timestamps --follow --since-time=2026-11-22T20:00:00.000000001Z"
    ]


class Outage(Kubectl):
    """A container that has ended, of whose log only the rest is left when the cluster answers no more for a while."""

    tries = count()

    def lines(self, *arguments: str) -> Iterator[str]:
        if "--follow" not in arguments and next(self.tries) < 3:
            raise NoAnswer("connection refused")
        return iter(())

    def get(self, kind: str, name: str) -> Any:
        assert (kind, name) == ("pod", "shop-e1")
        return pod(1, RUNS, ENDED)


def test_the_rest_of_a_log_is_not_asked_for_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr("time.sleep", paused.append)
    assert list(read_to_its_end(Outage(), Log(life(1, "runtime")), [])) == []
    assert paused == [2, 4, 8]


def test_a_cluster_that_is_away_for_days_is_asked_every_sixteen_seconds() -> None:
    assert [pause_seconds(tries) for tries in (0, 1, 4, 5, 20_000)] == [1, 2, 16, 16, 16]


def test_a_log_that_cannot_be_read_is_given_up(kubectl: ScriptedKubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.cluster.watching.PAUSE_SECONDS", 0)
    kubectl.answers({"logs": Refusal("Error from server (Forbidden): no"), "get pod shop-e1": pod(1)})
    with pytest.raises(ClusterError, match="Forbidden"):
        list(read_to_its_end(Kubectl(), Log(life(1, "runtime")), []))
    assert len(kubectl.asked()) == 5


def test_what_is_said_about_a_pod_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(None, "the log broke off: \x1b[2J")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("then", "before", "left"),
    [
        (None, Left.ALL, Left.NOTHING),
        (pod(1), Left.ALL, Left.ALL),
        (pod(1), Left.REST, Left.ALL),
        (pod(1, RUNS, ENDED), Left.ALL, Left.REST),
        (pod(1, RUNS, WAITS), Left.ALL, Left.REST),
        (pod(1, RUNS, ENDED), Left.REST, Left.NOTHING),
        (pod(1, restarts=1), Left.ALL, Left.REST_BEFORE_RESTART),
        (pod(1, restarts=1), Left.REST_BEFORE_RESTART, Left.NOTHING),
        (pod(1, restarts=2), Left.ALL, Left.NOTHING),
    ],
)
def test_what_is_left_of_a_log_follows_from_its_container(then: Any, before: Left, left: Left) -> None:
    assert Log(life(1, "runtime")).left(then, before) is left


def test_what_was_read_is_skipped_only_where_a_stream_begins_again() -> None:
    log = Log(life(1, "runtime"))
    moments = ["2026-11-22T20:00:00.000000002Z", "2026-11-22T20:00:00.000000001Z"]
    assert [log.unread(f"{moment} overtaken") for moment in moments] == ["overtaken", "overtaken"]
    assert log.unread("unable to retrieve container logs") == "unable to retrieve container logs"
    assert log.begin() == moments[0]
    assert [log.unread(f"{moment} again") for moment in reversed(moments)] == [None, None]
    assert log.unread(f"{moments[0]} new") == "new"


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
            "get pod shop-e": Refusal('Error from server (NotFound): pods "shop-e1" not found'),
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
