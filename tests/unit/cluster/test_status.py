"""Is it told on one screen how a DurableWorkflow fares, and what to do; and in a line each, how many do?"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.remedies import REMEDIES
from dormouse.cluster.seen import Seen, age
from dormouse.cluster.status_text import rows, status_text
from dormouse.cluster.watching import changes
from dormouse.commands.printing import GrowingTable, table
from dormouse.runtime.views import StatusView
from markdown_blocks import REPOSITORY
from scripted_kubectl import Refusal, ScriptedKubectl

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def shop(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "DurableWorkflow",
        "metadata": {"name": "shop", "namespace": "team", "uid": "u1", "creationTimestamp": "2026-04-29T12:00:00Z"},
        "spec": {"storage": {"storeRef": {"name": "default"}, "durability": "Async", "maxLagSeconds": 20}},
        "status": {
            "phase": "Running",
            "epoch": 4,
            "podName": "shop-e4",
            "node": "worker-2",
            "claimedAt": "2026-05-01T11:55:00Z",
            "restoredAt": "2026-05-01T11:55:02Z",
            "restoredFrom": "3/118",
            "position": "4/210",
            "recoveryWindow": {"from": "2026-04-30T12:00:00Z", "to": "2026-05-01T11:59:50Z"},
            "executions": {"open": 3, "running": 1, "sleeping": 2},
            "waitingFor": "a timer of order-7,\nuntil noon",
            "nextWakeAt": "2026-05-01T12:04:00Z",
            "lastFailure": {
                "epoch": 3, "reason": "NodeLost", "message": "worker-1 is silent", "time": "2026-05-01T11:54:30Z",
            },
            "failures": 2,
            "conditions": [
                condition("Ready", "True", "Running", "the pod of epoch 4 is ready"),
                condition("Replicating", "True", "Fresh", "the keeper is ready"),
                condition("Stalled", "False", "Running", ""),
            ],
            **status,
        },
    }  # fmt: skip


POD: dict[str, Any] = {
    "metadata": {"name": "shop-e4"},
    "spec": {"nodeName": "worker-2"},
    "status": {
        "initContainerStatuses": [{"name": "litestream", "ready": True, "state": {"running": {}}, "restartCount": 0}],
        "containerStatuses": [{"name": "runtime", "ready": True, "state": {"running": {}}, "restartCount": 1}],
    },
}
EVENTS = [
    {
        "metadata": {"creationTimestamp": "2026-05-01T11:55:00Z"},
        "reason": "PodCreated", "message": "pod shop-e4 lives in epoch 4",
    },
    {"metadata": {}, "lastTimestamp": "2026-05-01T11:54:30Z", "reason": "NodeLost", "message": "epoch 3"},
]  # fmt: skip
STANDING = StatusView(4, 4, 1, 2, 0, 0, 1, None, None, False)


def shown(document: dict[str, Any], pod: Any = POD, events: Any = (), standing: Any = STANDING) -> str:
    return click.unstyle(status_text(Seen(document), pod, events, standing, NOW))


def test_everything_about_one_is_on_one_screen() -> None:
    assert (
        shown(shop(), events=EVENTS)
        == """\
team/shop     Running
              Ready is True, Running: the pod of epoch 4 is ready
pod           shop-e4 on worker-2: litestream ready, runtime ready (1 restart)
epoch         4, claimed 5m ago; restored from 3/118 4m ago
store         default, Async, at 4/210 when it was told last
lag           at most 20 s behind
recovery      to every moment since 2026-04-30T12:00:00Z (24h ago); told 10s ago
executions    4 open: 1 running, 2 sleeping, 1 blocked
waits for     a timer of order-7, until noon
next wake     2026-05-01T12:04:00Z (in 4m)
last failure  NodeLost in epoch 3, 5m ago, 2 in a row
              worker-1 is silent
              => nothing to do: the next epoch starts by itself
events        5m NodeLost: epoch 3
              5m PodCreated: pod shop-e4 lives in epoch 4"""
    )


def test_what_is_wrong_is_told_with_what_to_do_and_each_reason_once() -> None:
    denied = "the store refuses the keys"
    conditions = [
        condition("Ready", "False", "StoreDenied", denied),
        condition("Stalled", "True", "StoreDenied", denied),
        condition("Blocked", "True", "NonDeterministic", "execution a: another call"),
        condition("Replicating", "False", "LagOverBound", "30 s behind"),
        condition("Drilled", "False", "DrillFailed", "page 7 differs"),
    ]
    found = [" ".join(line.split()) for line in shown(shop(conditions=conditions, lastFailure=None)).splitlines()]
    assert "lag LagOverBound: 30 s behind" in found
    assert found[-8:] == [
        "stalled StoreDenied: the store refuses the keys",
        "=> correct the credentials in the ObjectStore's Secret",
        "blocked NonDeterministic: execution a: another call",
        "=> change the code back, or with patched(): `dormouse show` has what to write",
        "not replicating LagOverBound: 30 s behind",
        "=> mend the store or the way to it; the workflow goes on by itself then",
        "not drilled DrillFailed: page 7 differs",
        "=> look with `dormouse drill`, and take a backup of the live file first",
    ]


@pytest.mark.parametrize(
    ("document", "pod", "standing", "line"),
    [
        (shop(), POD, "no way", "executions 3 open: 1 running, 2 sleeping, as told last"),
        (shop(), POD, "no way", "the pod was not asked: no way"),
        (shop(executions=None), None, "there is no pod", "executions there is no pod"),
        (shop(), None, "there is no pod", "pod none; shop-e4 is gone"),
        (shop(phase="Suspended"), None, "x", "pod none"),
        ({**shop(), "status": {}}, None, "x", "epoch none yet"),
        (
            {**shop(), "status": {}},
            None,
            "x",
            "team/shop Unseen: no operator has seen it yet; `dormouse doctor`",
        ),
        ({**shop(), "status": {}}, None, "x", "lag not known yet"),
        (shop(phase="Completed", conditions=[]), None, "x", "lag none: nothing runs"),
        (shop(nextWakeAt="2026-05-01T11:00:00Z"), POD, "x", "next wake 2026-05-01T11:00:00Z (due since 60m)"),
    ],
)
def test_what_is_not_there_is_said(document: dict[str, Any], pod: Any, standing: str, line: str) -> None:
    found = [" ".join(found.split()) for found in shown(document, pod, (), standing).splitlines()]
    assert any(each.startswith(line) for each in found)


def test_a_workflow_that_is_suspended_says_how_it_goes_on() -> None:
    document = shop(phase="Suspended")
    document["spec"]["operatingMode"] = "Suspended"
    assert "Suspended, suspended: `dormouse resume shop` lets it go on" in shown(document, None)


def test_containers_that_wait_say_why() -> None:
    waiting = {"name": "runtime", "ready": False, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pod = {"metadata": {"name": "shop-e4"}, "spec": {}, "status": {"containerStatuses": [waiting]}}
    assert "shop-e4 on no node yet: runtime waiting: ImagePullBackOff" in shown(shop(), pod)


def test_many_have_a_line_each() -> None:
    found = [Seen(shop()), Seen({**shop(), "status": {}})]
    assert (
        click.unstyle(table(rows(found, NOW, namespaced=True, wide=False)))
        == """\
NAMESPACE  NAME  PHASE    REASON   EPOCH  OPEN  NODE      AGE
team       shop  Running  Running  4      3     worker-2  2d
team       shop  Unseen                                   2d"""
    )
    head, line = (
        click.unstyle(GrowingTable().line(each)) for each in rows(found[:1], NOW, namespaced=False, wide=True)
    )
    assert head.endswith("POD  RESTORED-FROM  POSITION  STORE  NEXT-WAKE  WAITS-FOR  MESSAGE")
    assert line.endswith(
        "2d  shop-e4  3/118  4/210  default  2026-05-01T12:04:00Z  a timer of order-7, until noon  "
        "the pod of epoch 4 is ready"
    )


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-05-01T11:59:01Z", "59s"),
        ("2026-05-01T11:58:00Z", "2m"),
        ("2026-05-01T13:59:59+02:00", "1s"),
        ("2026-04-20T12:00:00Z", "11d"),
        ("2026-05-01T15:00:00Z", "in 3h"),
        ("soon", ""),
    ],
)
def test_how_long_ago_is_told_as_kubectl_does(moment: str, told: str) -> None:
    assert age(moment, NOW) == told


def test_every_reason_that_needs_somebody_has_a_remedy() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    known = set()
    for heading in ("**Why the last life ended**", "**The pod cannot start**", "**Somebody has to act.**"):
        told = page.partition(heading)[2].partition("\n**")[0]
        known |= {
            name for cell in re.findall(r"^\| (`[^|]*) \|", told, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
        }
    assert known == set(REMEDIES)


# The verb.


def test_a_line_for_each_change_is_as_wide_as_what_came_before(kubectl: ScriptedKubectl) -> None:
    events = [{"type": "ADDED", "object": shop()}, {"type": "DELETED", "object": shop(phase="Deleting", node="")}]
    changes = "".join(json.dumps(event, indent=4) + "\n" for event in events)
    kubectl.answers({"get": Refusal("error: You must be logged in to the server (Unauthorized)", changes)})
    ended = CliRunner().invoke(root, ["status", "-A", "-l", "team=shop", "-w"])
    assert ended.exit_code == 4, ended.output
    head, *lines = ended.stdout.splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "PHASE", "REASON", "EPOCH", "OPEN", "NODE", "AGE"]
    assert [line.split()[:3] for line in lines] == [["team", "shop", "Running"], ["team", "shop", "Deleting"]]
    assert lines[1].endswith("deleted")
    assert [line.index("Running") for line in lines[:1]] == [head.index("PHASE")]
    assert kubectl.asked() == [
        (
            "get durableworkflows.dormouse.dev --all-namespaces --selector=team=shop --watch --output-watch-events "
            "--output=json"
        )
    ]


def test_a_watch_that_the_api_server_ends_begins_again_and_tells_only_what_is_new(
    kubectl: ScriptedKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse.cluster.watching.PAUSE_SECONDS", 0)

    def stream(*versions: int) -> str:
        metadata = {"uid": "u1", "name": "shop"}
        objects = ({"metadata": {**metadata, "resourceVersion": str(one)}} for one in versions)
        return "".join(json.dumps({"type": "ADDED", "object": one}, indent=4) + "\n" for one in objects)

    said: list[str] = []
    kubectl.answers({"get": stream(1, 2)})
    watched = changes(Kubectl(), "durableworkflows", say=said.append)
    told = [next(watched), next(watched)]
    kubectl.answers({"get": Refusal("error: unexpected EOF", stream(2, 3))})
    told.append(next(watched))
    kubectl.answers({"get": stream(3, 4)})
    told.append(next(watched))
    assert [one["metadata"]["resourceVersion"] for _, one in told] == ["1", "2", "3", "4"]
    assert [text.partition(";")[0] for text in said] == ["kubectl: unexpected EOF"]


@pytest.mark.parametrize("output", ["json", "yaml", "name"])
def test_objects_are_printed_as_kubectl_prints_them(kubectl: ScriptedKubectl, output: str) -> None:
    kubectl.answers({f"get durableworkflows.dormouse.dev shop --output={output}$": "as it comes\n"})
    ended = CliRunner().invoke(root, ["status", "shop", "-o", output])
    assert (ended.exit_code, ended.output) == (0, "as it comes\n")


def test_one_is_asked_for_with_its_pod_and_its_events(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(
        {
            "get durableworkflows.dormouse.dev shop ": shop(),
            "get pod shop-e4 ": POD,
            "get events .*involvedObject.uid=u1": {"items": EVENTS},
            "port-forward pod/shop-e4 :8080": Refusal("error: unable to forward port because pod is not running"),
        }
    )
    ended = CliRunner().invoke(root, ["status", "shop"])
    assert ended.exit_code == 0, ended.output
    assert "shop-e4 on worker-2" in ended.output
    assert "the pod was not asked: kubectl: unable to forward port because pod is not running" in ended.output
    assert "NodeLost: epoch 3" in ended.output
    assert all("--namespace=team" in line for line in kubectl.asked()[1:])


def test_what_a_pod_or_a_person_may_not_tell_is_left_out(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(
        {
            "get durableworkflows.dormouse.dev shop ": shop(),
            "get pod": Refusal('Error from server (NotFound): pods "shop-e4" not found'),
            "get events": Refusal(
                'Error from server (Forbidden): events is forbidden: User "ada" cannot list resource'
            ),
        }
    )
    ended = CliRunner().invoke(root, ["status", "shop"])
    assert ended.exit_code == 0, ended.output
    assert "none; shop-e4 is gone" in ended.output


def test_where_there_is_none_that_is_said(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"get": {"items": []}})
    ended = CliRunner().invoke(root, ["status"])
    assert (ended.exit_code, ended.output) == (0, "there is no DurableWorkflow here; -A looks in all namespaces\n")


def test_a_name_and_a_selector_do_not_go_together(kubectl: ScriptedKubectl) -> None:
    assert CliRunner().invoke(root, ["status", "shop", "-A"]).exit_code == 2
    kubectl.answers({"get": Refusal("The connection to the server localhost:8080 was refused")})
    assert CliRunner().invoke(root, ["status", "-w"]).exit_code == 4
