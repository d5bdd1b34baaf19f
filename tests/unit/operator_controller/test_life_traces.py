"""From which moments does the operator make the spans of a life, and when does it send them?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from dormouse.life_trace import Life, LifeSpan
from dormouse_operator.api import Condition, DurableWorkflow, DurableWorkflowStatus
from dormouse_operator.controller.life_traces import LifeTraces, pod_spans
from unit.operator_samples import workflow

KEY = ("team", "report")
NOON = 1777636800 * 10**9
POD: dict[str, Any] = {
    "metadata": {"name": "report-e1", "creationTimestamp": "2026-05-01T12:00:01Z"},
    "spec": {"nodeName": "node-a"},
    "status": {
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-01T12:00:01Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-05-01T12:00:04Z"},
        ],
        "initContainerStatuses": [{"name": "litestream", "state": {"running": {"startedAt": "2026-05-01T12:00:02Z"}}}],
        "containerStatuses": [{"name": "runtime", "state": {"running": {"startedAt": "2026-05-01T12:00:03Z"}}}],
    },
}


@dataclass
class Sent:
    """What was sent, by life."""

    now_ns: int = NOON + 10**9
    roots: list[tuple[int, int, int, str]] = field(default_factory=list)
    spans: list[LifeSpan] = field(default_factory=list)

    def of_life(self, life: Life) -> Sent:
        self.epoch = life.epoch
        return self

    def send_root(self, began_ns: int, ended_ns: int, failed: str = "") -> None:
        self.roots.append((self.epoch, began_ns - NOON, ended_ns - NOON, failed))

    def send(self, spans: Iterable[LifeSpan]) -> None:
        self.spans += spans

    def clock(self) -> int:
        self.now_ns += 1
        return self.now_ns


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def traces(sent: Sent) -> LifeTraces:
    return LifeTraces(sent.of_life, sent.clock)


def at(epoch: int, phase: str = "Pending", *, ready: bool = False) -> DurableWorkflowStatus:
    conditions = (
        (Condition(type="Ready", status="True", reason="Running", last_transition_time="2026-05-01T12:00:04Z"),)
        if ready
        else ()
    )
    return DurableWorkflowStatus(epoch=epoch, phase=phase, pod_name=f"report-e{epoch}", conditions=conditions)


def known(status: DurableWorkflowStatus) -> DurableWorkflow:
    made = workflow()
    metadata = replace(made.metadata, namespace="team", name="report", creation_timestamp="2026-05-01T12:00:00Z")
    return replace(made, metadata=metadata, status=status)


def test_a_first_life_begins_when_it_was_applied_and_ends_when_it_is_ready(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    with traces.doing(KEY, "save status"):
        pass
    traces.saved(known(at(0)), at(1), ())
    with traces.doing(KEY, "create pod"):
        pass
    assert sent.roots == []
    traces.looked(KEY)
    traces.saved(known(at(1)), at(1, "Running", ready=True), (POD,))
    assert [(epoch, began, failed) for epoch, began, _, failed in sent.roots] == [(1, 0, "")]
    assert [(span.name, span.within) for span in sent.spans] == [
        ("operator", ""), ("save status", "operator"), ("create pod", "operator"), ("pod", ""),
        ("schedule pod", "pod"), ("start keeper", "pod"), ("start runtime", "pod"), ("become ready", "pod"),
    ]  # fmt: skip
    traces.saved(known(at(1, "Running", ready=True)), at(1, "Running", ready=True), (POD,))
    assert len(sent.roots) == 1


def test_a_later_life_begins_with_the_step_that_asked_for_it(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    with traces.doing(KEY, "read store"):
        pass
    traces.looked(KEY)
    looked = sent.now_ns
    traces.saved(known(at(1, "Running", ready=True)), at(2), ())
    traces.saved(known(at(2)), at(2, "Running", ready=True), ())
    assert [(epoch, began, failed) for epoch, began, _, failed in sent.roots] == [(2, looked - NOON, "")]
    assert sent.spans == []  # what was done before is of no life


def test_a_life_that_another_one_follows_has_failed(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    traces.saved(known(at(0)), at(1), ())
    traces.saved(known(at(1)), at(2), ())
    assert [(epoch, failed) for epoch, _, _, failed in sent.roots] == [(1, "it failed before it was ready")]


def test_a_life_that_waits_for_a_person_ends_there(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    traces.saved(known(at(0)), at(1), ())
    traces.saved(known(at(1)), at(1, "Stalled"), ())
    traces.saved(known(at(1, "Stalled")), at(1, "Running", ready=True), ())
    assert [(epoch, failed) for epoch, _, _, failed in sent.roots] == [(1, "it is Stalled")]


def test_what_fails_is_told_with_its_error(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    traces.saved(known(at(0)), at(1), ())
    with pytest.raises(RuntimeError), traces.doing(KEY, "create pod"):
        raise RuntimeError("no quota")
    traces.saved(known(at(1)), at(1, "Running", ready=True), ())
    assert [span.failed for span in sent.spans] == ["", "RuntimeError: no quota"]


def test_a_new_leader_and_one_whom_nobody_listens_to_send_nothing(traces: LifeTraces, sent: Sent) -> None:
    traces.looked(KEY)
    traces.saved(known(at(0)), at(1), ())
    traces.forget_all()
    traces.saved(known(at(1)), at(1, "Running", ready=True), (POD,))
    silent = LifeTraces(None)
    silent.looked(KEY)
    with silent.doing(KEY, "create pod"):
        pass
    silent.saved(known(at(0)), at(1), ())
    silent.saved(known(at(1)), at(1, "Running", ready=True), (POD,))
    assert sent.roots == []


def test_what_a_pod_does_not_say_yet_is_no_span() -> None:
    assert pod_spans({"metadata": {"name": "report-e1"}}) == []
    placed = {**POD, "status": {"conditions": POD["status"]["conditions"][:1]}}
    assert [span.name for span in pod_spans(placed)] == ["pod", "schedule pod"]
    assert pod_spans(placed)[1].attributes == {"k8s.pod.name": "report-e1", "k8s.node.name": "node-a"}
