"""Does the plan keep its promises in a world where anything happens in any order?

A small world stands in for API server, kubelets, keepers and store; hypothesis drives it. At each plan:
never two live pods, never an epoch twice, never one at or below what CURRENT showed. At the end the world
calms down, and the plan must come to rest.
"""

import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec import to_builtins

from dormouse_operator.api import DurableWorkflow, parse
from dormouse_operator.plan import (
    Action,
    CreateCheck,
    CreatePod,
    Current,
    CurrentAbsent,
    CurrentSeen,
    CurrentUnread,
    DeletePod,
    EmitEvent,
    Observed,
    Plan,
    ReadCurrent,
    Settings,
    plan,
)
from unit.operator_plan.pods import seen
from unit.operator_samples import KEYS, NOW, UID, document, store

NODES = ("node-a", "node-b")
CHECK_EVENTS = ("Replayed", "ReplayDiverged", "EntrypointFailed")
POD_EVENTS = (
    "claims",
    "Completed",
    "Stopped",
    "ends unsealed",
    "is evicted",
    "loses its runtime",
    "vanishes",
    "deletions are obeyed",
    "deletions are obeyed, sealed",
    "StoreDenied",
    "VolumeLost",
    "Nonsense",
    *CHECK_EVENTS,
)
WORLD_EVENTS = (
    "a node is lost or found",
    "another workflow claims",
    "the store goes up or down",
    "time moves",
    "edit",
    "suspend",
    "checks are switched on or off",
)
CLAIMED_AT = "2026-03-01T12:00:00Z"
CHECKED = Settings(checks_replays=True)
CHOICE = st.randoms(use_true_random=False)


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.document = document("DurableWorkflow")
        self.pods: dict[str, dict[str, Any]] = {}
        self.current: CurrentSeen | None = None
        self.known: Current = CurrentUnread()
        self.lost: set[str] = set()
        self.now = NOW
        self.store_is_up = True
        self.created: list[int] = []
        self.had: set[str] = set()
        self.passed: set[str] = set()

    # The shell.

    def planned(self) -> Plan:
        dwf = parse(copy.deepcopy(self.document))
        assert isinstance(dwf, DurableWorkflow)
        world = Observed(
            pods=tuple(self.pods.values()),
            store=store(),
            secret_keys=KEYS,
            current=self.known,
            lost_nodes=frozenset(self.lost),
        )
        made = plan(dwf, world, self.now, CHECKED)
        assert plan(dwf, world, self.now, CHECKED) == made
        return made

    @rule(applied=st.integers(0, 6), choice=CHOICE)
    def reconcile(self, applied: int, choice: Any) -> None:
        """The status is written first; then the shell may die after any action."""
        made = self.planned()
        self.document["status"] = to_builtins(made.status)
        for action in made.actions[:applied]:
            self.apply(action, choice.choice(NODES))

    def apply(self, action: Action, node: str) -> None:
        match action:
            case CreatePod(manifest=manifest):
                self.check_creation(manifest)
                name = manifest["metadata"]["name"]
                assert name not in self.pods
                self.change(name, seen(manifest, phase="Pending", node=node))
            case CreateCheck(manifest=manifest):
                name = manifest["metadata"]["name"]
                assert name not in self.pods
                self.change(name, seen(manifest, phase="Pending", node=node))
            case DeletePod(name=name, uid=uid):
                pod = self.pods[name]
                assert pod["metadata"]["uid"] == uid
                if pod["status"]["phase"] in ("Succeeded", "Failed"):
                    self.change(name, None)
                else:
                    pod["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
                    self.change(name, pod)
            case ReadCurrent():
                if self.store_is_up:
                    self.known = self.current or CurrentAbsent()
                else:
                    self.known = CurrentUnread("connection refused")

    def check_creation(self, manifest: dict[str, Any]) -> None:
        epoch = int(manifest["metadata"]["labels"]["dormouse.dev/epoch"])
        assert not self.live(), "two pods could write"
        assert epoch > max(self.created, default=0), "an epoch was used twice"
        if isinstance(self.known, CurrentSeen):
            assert epoch > self.known.epoch, "an epoch at or below CURRENT"
            assert not (self.known.workflow_uid == UID and self.known.seal_reason == "Completed")
        else:
            assert isinstance(self.known, CurrentAbsent) or not self.created, "created blindly"
        claimed_before = self.document["status"].get("claimed", False)
        first = "'DORMOUSE_FIRST_CLAIM', 'value': 'true'" in str(manifest)
        assert not (first and claimed_before), "a first claim after a claim"
        self.check_that_it_may_have_this_spec(manifest)
        self.created.append(epoch)

    def check_that_it_may_have_this_spec(self, manifest: dict[str, Any]) -> None:
        """The first one, one that a pod had already, or one that a check let pass."""
        digest = manifest["metadata"]["annotations"]["dormouse.dev/template-hash"]
        is_checked = self.document["spec"].get("updatePolicy", {}).get("replayCheck", False)
        assert not (is_checked and self.had) or digest in self.had | self.passed, "a spec that nobody has checked"
        self.had.add(digest)

    def live(self) -> list[str]:
        return [
            name
            for name, pod in self.pods.items()
            if pod["status"]["phase"] in ("Pending", "Running")
            and pod["spec"]["nodeName"] not in self.lost
            and not self.is_check(name)
        ]

    def is_check(self, name: str) -> bool:
        return "-check-" in name

    def finish_checks(self, reason: str) -> None:
        for name, pod in list(self.pods.items()):
            if not self.is_check(name) or pod["status"]["phase"] in ("Succeeded", "Failed"):
                continue
            if reason == "Replayed":
                self.passed.add(pod["metadata"]["labels"]["dormouse.dev/check"])
            phase = "Succeeded" if reason == "Replayed" else "Failed"
            self.update(name, phase=phase, runtime_said={"reason": reason, "message": "because"})
            if phase == "Succeeded":
                ends = {"terminated": {"exitCode": 0, "message": '{"reason": "Replayed", "message": "all go on"}'}}
                self.pods[name]["status"]["containerStatuses"][0]["state"] = ends

    def change(self, name: str, pod: dict[str, Any] | None) -> None:
        if pod is None:
            self.pods.pop(name, None)
        else:
            self.pods[name] = pod
        self.known = CurrentUnread()

    # The pods.

    def update(self, name: str, **now: Any) -> None:
        old = self.pods[name]
        deleting = "deletionTimestamp" in old["metadata"]
        self.change(name, seen(old, deleting=deleting, node=old["spec"]["nodeName"], **now))

    def epoch(self, name: str) -> int:
        return int(self.pods[name]["metadata"]["labels"]["dormouse.dev/epoch"])

    def owns_current(self, name: str) -> bool:
        current = self.current
        return current is not None and current.workflow_uid == UID and current.epoch == self.epoch(name)

    @precondition(lambda self: self.pods)
    @rule(choice=CHOICE, event=st.sampled_from(POD_EVENTS))
    def something_happens_to_a_pod(self, choice: Any, event: str) -> None:
        name = choice.choice(self.live() or sorted(self.pods))
        if event in CHECK_EVENTS:
            self.finish_checks(event)
            return
        if event == "vanishes":
            self.change(name, None)
        elif event.startswith("deletions"):
            self.obey_deletions(sealed=event == "deletions are obeyed, sealed")
        elif name in self.live():
            self.happens_to_a_live_pod(name, event)

    def happens_to_a_live_pod(self, name: str, event: str) -> None:
        if event in ("Completed", "Stopped"):
            if self.owns_current(name):
                self.current = CurrentSeen(self.epoch(name), "Sealed", event, workflow_uid=UID)
            self.update(name, phase="Succeeded", runtime_said={"reason": event, "position": "1/1"})
        elif event == "ends unsealed":
            self.update(name, phase="Succeeded", runtime_said={"reason": "Completed"})
        elif event == "is evicted":
            self.update(name, phase="Failed")
        elif event == "claims" and self.store_is_up:
            self.run_keeper(name)
        elif event == "loses its runtime" and self.owns_current(name):
            self.update(name, keeper=True, runtime_said={"reason": "EntrypointFailed"})
        else:
            self.update(name, keeper_said={"reason": event, "message": "because"})

    def run_keeper(self, name: str) -> None:
        epoch = self.epoch(name)
        if self.current is not None and self.current.epoch >= epoch and not self.owns_current(name):
            said = {"reason": "StaleEpoch", "message": "newer", "seen": self.current.epoch}
            self.update(name, keeper_said=said)
        elif self.owns_current(name) and self.current is not None and self.current.state == "Sealed":
            self.update(name, keeper_said={"reason": "Fenced"})
        else:
            self.current = CurrentSeen(epoch, "Active", workflow_uid=UID, claimed_at=CLAIMED_AT)
            self.update(name, keeper=True)

    def obey_deletions(self, sealed: bool) -> None:
        for name, pod in list(self.pods.items()):
            if "deletionTimestamp" not in pod["metadata"] or pod["spec"]["nodeName"] in self.lost:
                continue
            if sealed and self.owns_current(name):
                self.current = CurrentSeen(self.epoch(name), "Sealed", "Stopped", workflow_uid=UID)
            self.change(name, None)

    @rule(times=st.integers(1, 4))
    def all_goes_well_for_a_while(self, times: int) -> None:
        for _ in range(times):
            self.go_on()

    # Everything else.

    @rule(event=st.sampled_from(WORLD_EVENTS), amount=st.integers(1, 5))
    def something_happens_around(self, event: str, amount: int) -> None:
        match event:
            case "a node is lost or found":
                self.lost ^= {NODES[amount % 2]}
                self.known = CurrentUnread()
            case "another workflow claims":
                epoch = (self.current.epoch if self.current is not None else 0) + amount
                state, seal_reason = ("Sealed", "Completed") if amount % 2 else ("Active", None)
                self.current = CurrentSeen(epoch, state, seal_reason, workflow_uid="another")
            case "the store goes up or down":
                self.store_is_up = not self.store_is_up
            case "time moves":
                self.now += timedelta(seconds=(-30.0, 0.5, 1.0, 60.0, 400.0)[amount - 1])
            case "checks are switched on or off":
                self.document["spec"]["updatePolicy"] = {"replayCheck": bool(amount % 2)}
                self.document["metadata"]["generation"] += 1
            case _:
                self.document["spec"]["operatingMode"] = "Suspended" if event == "suspend" else "Running"
                self.document["spec"]["source"]["inline"] = f"source {amount % 2}"
                self.document["metadata"]["generation"] += 1

    def teardown(self) -> None:
        self.lost.clear()
        self.known = CurrentUnread()
        self.store_is_up = True
        self.document["spec"]["operatingMode"] = "Running"
        for name in [name for name in self.pods if self.is_check(name)]:
            self.change(name, None)  # what diverged would stay like that until somebody acts
        rest = self.planned()
        for _ in range(40):
            self.go_on()
            rest = self.planned()
            # A keeper that was not ready may be by now, or may have been refused.
            is_written = to_builtins(rest.status) == self.document["status"]
            if is_written and not rest.actions and rest.status.phase in ("Running", "Completed"):
                break
        assert rest.actions == ()
        assert rest.status.phase in ("Running", "Completed")
        assert to_builtins(rest.status) == self.document["status"], "the status does not come to rest"

    def go_on(self) -> Plan:
        made = self.planned()
        self.document["status"] = to_builtins(made.status)
        for action in made.actions:
            self.apply(action, NODES[0])
        self.now += timedelta(seconds=made.requeue_after_seconds or 0)
        if all(isinstance(action, EmitEvent) for action in made.actions):
            self.calm()
        return made

    def calm(self) -> None:
        self.obey_deletions(sealed=False)
        self.finish_checks("Replayed")
        for name in self.live() if self.store_is_up else ():
            self.run_keeper(name)
            if self.owns_current(name) and self.current is not None and self.current.state == "Active":
                self.update(name, keeper=True, runtime=True)


World.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestTheWorld = pytest.mark.timeout(600)(World.TestCase)
