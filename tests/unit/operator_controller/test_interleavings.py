"""Does the operator keep its promises whatever happens between any two requests?

Two operators that both believe to lead, each with caches as old as the test likes; hypothesis chooses who goes on,
and what becomes of each request. At each creation: an epoch is never used twice and never at or below what was last
read from CURRENT, nothing of ours can still write, and the status says so already. At the end the faults stop, and
everything must come to rest.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dormouse.replica.current import SealReason
from dormouse_operator.controller.relisting import WATCHED
from dormouse_operator.controller.resources import PODS, WORKFLOWS, Document
from unit.operator_controller.interleaved_operators import Interleaved, OneOperator
from unit.operator_controller.interleaved_server import Outcome

WHO = st.sampled_from(["a", "a", "b"])
POD_EVENTS = (
    "claims",
    "claims",
    "runs",
    "Completed",
    "Stopped",
    "ends unsealed",
    "is evicted",
    "vanishes",
    "deletions are obeyed",
    "deletions are obeyed, sealed",
    "StoreDenied",
    "VolumeLost",
    "loses its labels",
    "loses its owner",
    "says another epoch",
    "cannot go",
)
AROUND = (
    "a node is lost or found",
    "time moves",
    "time moves",
    "edit",
    "suspend",
    "resume",
    "delete",
    "the status is wiped",
    "the status says an old epoch",
    "the status says completed",
)
_ROUNDS = 120
_MOST_WRITES = 150
"""In the rounds in which all comes to rest: ten lives cost no more."""


class UnderFire(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = Interleaved()
        self.is_deleted = False

    @initialize(start=st.sampled_from(["nothing", "runs", "runs", "rests"]), is_deleted=st.booleans())
    def begins(self, start: str, is_deleted: bool = False) -> None:
        """Most stories are about what lives already, and many end with its deletion."""
        self.is_deleted = is_deleted
        for _ in range(0 if start == "nothing" else 3):
            self.round()
        if start == "rests":
            self.world.edit(_edit("suspend", 0))
            for _ in range(3):
                self.round()

    # The operators.

    @rule(who=WHO)
    def goes_on_as_it_should(self, who: str) -> None:
        """One operator hears everything and does what there is to do; then pods do as they are told."""
        operator = self.world.operators[who]
        self.listens(operator)
        operator.whole_step()
        self.calm()

    @rule(who=WHO)
    def goes_on_with_what_it_knows(self, who: str) -> None:
        """One operator has heard nothing new."""
        operator = self.world.operators[who]
        operator.go_on_to_the_end()
        operator.whole_step()

    @rule(who=WHO, requests=st.integers(0, 12))
    def works(self, who: str, requests: int) -> None:
        """A step that nothing goes wrong with, or the first part of one."""
        operator = self.world.operators[who]
        operator.begin()
        for _ in range(requests):
            operator.go_on(Outcome.DONE)

    @rule(who=WHO, outcome=st.sampled_from(Outcome), requests=st.integers(0, 8))
    def meets_a_fault(self, who: str, outcome: Outcome, requests: int) -> None:
        """In the middle of a step with the newest knowledge."""
        operator = self.world.operators[who]
        if operator.step is None:
            self.listens(operator)
        self.works(who, requests)
        operator.go_on(outcome)

    @rule(who=WHO)
    def dies(self, who: str) -> None:
        self.world.operators[who].die()

    @rule(who=WHO)
    def hears_late(self, who: str) -> None:
        """What somebody sent, and gave up, arrives."""
        if self.world.operators[who].line.late:
            self.world.operators[who].line.arrive()

    # Their watches.

    @rule(who=WHO, count=st.sampled_from([0, 1, 2, 3, 1000]))
    def is_told(self, who: str, count: int) -> None:
        """So many events, or none of those that wait: after a 410 they are never told, and a list follows some time."""
        operator = self.world.operators[who]
        operator.see(count)
        if not count:
            operator.events.clear()

    @rule(who=WHO, resource=st.sampled_from(WATCHED), is_taken=st.booleans())
    def lists(self, who: str, resource: Any, is_taken: bool) -> None:
        operator = self.world.operators[who]
        if is_taken:
            operator.take_list(resource)
        else:
            operator.listed[resource] = self.world.list_now(resource)

    # The pods.

    @rule(event=st.sampled_from(POD_EVENTS), choice=st.integers(0, 5))
    def something_happens_to_a_pod(self, event: str, choice: int) -> None:
        names = self.world.live() or [each["metadata"]["name"] for each in self.world.pods()]
        if event.startswith("deletions"):
            self.world.obey_deletions(sealed=event.endswith("sealed"))
        elif names:
            self.happens_to(names[choice % len(names)], event)

    def happens_to(self, name: str, event: str) -> None:
        world, objects = self.world, self.world.objects
        match event:
            case "vanishes":
                objects.remove(PODS, name)
            case "loses its labels":
                objects.change(PODS, name, lambda pod: pod["metadata"].pop("labels", None))
            case "loses its owner":
                objects.change(PODS, name, lambda pod: pod["metadata"].pop("ownerReferences", None))
            case "says another epoch":
                objects.change(PODS, name, lambda pod: pod["metadata"].setdefault("labels", {}).update(_FORGED))
            case "cannot go":
                objects.change(PODS, name, lambda pod: pod["metadata"].update(finalizers=["example.com/stuck"]))
            case _:
                if name in world.live():
                    self.happens_to_a_live_pod(name, event)

    def happens_to_a_live_pod(self, name: str, event: str) -> None:
        world = self.world
        match event:
            case "claims":
                world.claim(name)
            case "runs":
                if world.owns_current(name):
                    world.update(name, keeper=True, runtime=True)
            case "Completed" | "Stopped":
                world.seal(name, SealReason(event))
                world.update(name, phase="Succeeded", runtime_said={"reason": event})
            case "ends unsealed":
                world.update(name, phase="Succeeded", runtime_said={"reason": "Completed"})
            case "is evicted":
                world.update(name, phase="Failed")
            case _:
                world.update(name, keeper_said={"reason": event, "message": "because"})

    # Everything else.

    @rule(event=st.sampled_from(AROUND), amount=st.integers(0, 4))
    def something_happens_around(self, event: str, amount: int) -> None:
        world = self.world
        match event:
            case "a node is lost or found":
                world.lost ^= {"node-a"}
                world.once_lost |= world.lost
            case "time moves":
                world.wait((-30.0, 0.5, 1.0, 60.0, 400.0)[amount])
            case "delete":
                self.deletes()
            case "the status is wiped" | "the status says an old epoch" | "the status says completed":
                world.is_forged = True
                world.edit(_FORGERIES[event])
            case _:
                world.edit(_edit(event, amount))

    def deletes(self) -> None:
        self.world.edit(_deleted)
        if not self.world.is_gone() and not self.world.is_held():
            self.world.objects.remove(WORKFLOWS, "report")

    # The end.

    def teardown(self) -> None:
        try:
            self.comes_to_rest()
        finally:
            self.world.close()

    def comes_to_rest(self) -> None:
        world = self.world
        world.lost.clear()
        world.edit(_edit("resume", 0))
        if self.is_deleted:
            self.deletes()
        for operator in world.operators.values():
            while operator.line.late:
                operator.line.arrive()
        before, at_rest = world.objects.writes, -1
        for _ in range(_ROUNDS):
            if at_rest == world.objects.version and self.is_well():
                break
            at_rest = world.objects.version
            self.round()
        assert self.is_well(), world.described()
        assert world.objects.version == at_rest, "it never comes to rest"
        assert world.objects.writes - before < _MOST_WRITES, "a hot loop"

    def round(self) -> None:
        """Everybody does what there is to do, and time goes on."""
        world = self.world
        for operator in world.operators.values():
            self.listens(operator)
            operator.whole_step()
        self.calm()
        world.wait(max(*(each.pause or 0.0 for each in world.operators.values()), 1.0))

    def listens(self, operator: OneOperator) -> None:
        operator.go_on_to_the_end()
        operator.see(1000)
        operator.list_all()

    def calm(self) -> None:
        """Kubelets and keepers do what they should."""
        world = self.world
        for pod in world.pods():
            if pod["metadata"].get("finalizers") and "deletionTimestamp" in pod["metadata"]:
                world.objects.change(PODS, pod["metadata"]["name"], lambda pod: pod["metadata"].pop("finalizers"))
        world.obey_deletions(sealed=False)
        for pod in world.pods():
            name, phase = pod["metadata"]["name"], (pod.get("status") or {}).get("phase")
            if phase in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]:
                continue
            world.claim(name)
            if _runs(world.objects.get(PODS, "team", name)) is False and world.owns_current(name):
                world.update(name, keeper=True, runtime=True)

    def is_well(self) -> bool:
        world = self.world
        if world.is_gone():
            return True
        status, current = world.status(), world.current()
        if status.get("phase") == "Completed":
            return current is not None and current.seal_reason is SealReason.COMPLETED
        names = [each["metadata"]["name"] for each in world.pods() if "deletionTimestamp" not in each["metadata"]]
        newest = f"report-e{status.get('epoch')}"
        return status.get("phase") == "Running" and newest in names and world.owns_current(newest)


_FORGED = {"dormouse.dev/epoch": "77"}


def _deleted(workflow: Document) -> None:
    workflow["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"


def _completed(workflow: Document) -> None:
    told = {"type": "Completed", "status": "True", "reason": "Succeeded", "message": "", "observedGeneration": 1}
    conditions = [{**told, "lastTransitionTime": "2026-03-01T12:00:00Z"}]
    workflow["status"] = {**(workflow.get("status") or {}), "conditions": conditions}


def _old_epoch(workflow: Document) -> None:
    workflow["status"] = {**(workflow.get("status") or {}), "epoch": 1, "podName": "report-e1"}


_FORGERIES = {
    "the status is wiped": lambda workflow: workflow.pop("status", None),
    "the status says an old epoch": _old_epoch,
    "the status says completed": _completed,
}


def _edit(event: str, amount: int) -> Any:
    def edit(workflow: Document) -> None:
        workflow["spec"]["operatingMode"] = "Suspended" if event == "suspend" else "Running"
        workflow["spec"]["source"]["inline"] = f"source {amount % 2}"
        workflow["metadata"]["generation"] += 1

    return edit


def _runs(pod: Document) -> bool:
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(each.get("ready") for each in containers)


UnderFire.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestUnderFire = pytest.mark.timeout(600)(UnderFire.TestCase)


class UnderMoreFire(UnderFire):
    """Stories that nobody has seen yet."""


UnderMoreFire.TestCase.settings = settings(
    UnderFire.TestCase.settings, max_examples=2000, stateful_step_count=50, derandomize=False
)
TestUnderMoreFire = pytest.mark.long(pytest.mark.timeout(3600)(UnderMoreFire.TestCase))
