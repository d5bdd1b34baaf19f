"""What may happen to one workflow with two operators that both believe to lead? Each method is one thing that does.

A random story is told by hypothesis; what one of them found is told again by a test of its own, in the same words.
"""

from __future__ import annotations

from typing import Any

from dormouse.replica.current import SealReason
from dormouse_operator.controller.resources import PODS, Document, Resource
from unit.operator_controller.interleaved_operators import OneOperator
from unit.operator_controller.interleaved_promises import Promises
from unit.operator_controller.interleaved_server import Outcome
from unit.operator_controller.interleaved_surroundings import Surroundings

_ROUNDS = 120
_MOST_WRITES = 150
"""In the rounds in which all comes to rest: ten lives cost no more."""


class Story:
    """Whatever an operator does is looked at when it does it; `comes_to_rest` looks at the end."""

    def __init__(self) -> None:
        self.around = Surroundings()
        promises = Promises(self.around)
        self.operators = {name: OneOperator(name, self.around, promises) for name in ("a", "b")}
        self.is_deleted = False

    def close(self) -> None:
        for each in self.operators.values():
            each.die()
        self.around.close()

    def begins(self, start: str, is_deleted: bool = False) -> None:
        """Most stories are about what lives already, and many end with its deletion."""
        self.is_deleted = is_deleted
        for _ in range(0 if start == "nothing" else 3):
            self.round()
        if start == "rests":
            self.around.edit(_edit("suspend", 0))
            for _ in range(3):
                self.round()

    # The operators.

    def goes_on_as_it_should(self, who: str) -> None:
        """One operator hears everything and does what there is to do; then pods do as they are told."""
        self.operators[who].listens()
        self.operators[who].whole_step()
        self.around.calm()

    def goes_on_with_what_it_knows(self, who: str) -> None:
        """One operator has heard nothing new."""
        self.operators[who].go_on_to_the_end()
        self.operators[who].whole_step()

    def works(self, who: str, requests: int) -> None:
        """A step that nothing goes wrong with, or the first part of one."""
        self.operators[who].begin()
        for _ in range(requests):
            self.operators[who].go_on()

    def meets_a_fault(self, who: str, outcome: Outcome, requests: int) -> None:
        """In the middle of a step with the newest knowledge."""
        operator = self.operators[who]
        if operator.step is None:
            operator.listens()
        self.works(who, requests)
        operator.go_on(outcome)

    def dies(self, who: str) -> None:
        self.operators[who].die()

    def hears_late(self, who: str) -> None:
        """What somebody sent, and gave up, arrives."""
        if self.operators[who].line.late:
            self.operators[who].line.arrive()

    # Their watches.

    def is_told(self, who: str, count: int) -> None:
        """So many events, or none of those that wait: after a 410 they are never told, and a list follows some time."""
        self.operators[who].see(count)
        if not count:
            self.operators[who].events.clear()

    def lists(self, who: str, resource: Resource, is_taken: bool) -> None:
        operator = self.operators[who]
        if is_taken:
            operator.take_list(resource)
        else:
            operator.listed[resource] = self.around.list_now(resource)

    # The pods.

    def something_happens_to_a_pod(self, event: str, choice: int) -> None:
        around = self.around
        names = around.live() or [each["metadata"]["name"] for each in around.pods()]
        if event.startswith("deletions"):
            around.obey_deletions(sealed=event.endswith("sealed"))
        elif names:
            self.happens_to(names[choice % len(names)], event)

    def happens_to(self, name: str, event: str) -> None:
        objects = self.around.objects
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
                if name in self.around.live():
                    self._happens_to_a_live_pod(name, event)

    def _happens_to_a_live_pod(self, name: str, event: str) -> None:
        around = self.around
        match event:
            case "claims":
                around.claim(name)
            case "runs":
                around.runs(name)
            case "Completed" | "Stopped":
                around.seal(name, SealReason(event))
                around.update(name, phase="Succeeded", runtime_said={"reason": event})
            case "ends unsealed":
                around.update(name, phase="Succeeded", runtime_said={"reason": "Completed"})
            case "is evicted":
                around.update(name, phase="Failed")
            case _:
                around.update(name, keeper_said={"reason": event, "message": "because"})

    # Everything else.

    def something_happens_around(self, event: str, amount: int = 0) -> None:
        around = self.around
        match event:
            case "a node is lost or found":
                around.lost ^= {"node-a"}
                around.once_lost |= around.lost
            case "time moves":
                around.wait((-30.0, 0.5, 1.0, 60.0, 400.0)[amount])
            case "delete":
                around.delete()
            case "the status is wiped" | "the status says an old epoch" | "the status says completed":
                around.forge(_FORGERIES[event])
            case _:
                around.edit(_edit(event, amount))

    # The end.

    def comes_to_rest(self) -> None:
        """Nothing goes wrong any more: it runs, has completed, or is gone, and nobody does anything."""
        around = self.around
        around.lost.clear()
        around.edit(_edit("resume", 0))
        if self.is_deleted:
            around.delete()
        for operator in self.operators.values():
            while operator.line.late:
                operator.line.arrive()
        before, at_rest = around.objects.writes, -1
        for _ in range(_ROUNDS):
            if at_rest == around.objects.version and self.is_well():
                break
            at_rest = around.objects.version
            self.round()
        assert self.is_well(), around.described()
        assert around.objects.version == at_rest, "it never comes to rest"
        assert around.objects.writes - before < _MOST_WRITES, "a hot loop"

    def round(self) -> None:
        """Everybody does what there is to do, and time goes on."""
        for operator in self.operators.values():
            operator.listens()
            operator.whole_step()
        self.around.calm()
        self.around.wait(max(*(each.pause or 0.0 for each in self.operators.values()), 1.0))

    def is_well(self) -> bool:
        around = self.around
        if around.is_gone():
            return True
        status, current = around.status(), around.current()
        if status.get("phase") == "Completed":
            return current is not None and current.seal_reason is SealReason.COMPLETED
        if around.is_forged and not around.claimed and status.get("phase") == "Stalled":
            # Whether there was data nobody can tell any more: docs/operations.md says what to do.
            return "CurrentMissing" in str(status["conditions"])
        names = [each["metadata"]["name"] for each in around.pods() if "deletionTimestamp" not in each["metadata"]]
        return status.get("phase") == "Running" and any(around.owns_current(each) for each in names)


_FORGED = {"dormouse.dev/epoch": "77"}


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
