"""What is around two operators? An API server, a bucket, clocks, nodes, kubelets and keepers: the test moves them all.

Real: the decisions of a keeper's claim.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dormouse.replica.claim import Claimant, Prefix, Volume, Write, decide
from dormouse.replica.current import Current, SealReason, State, decode, encode
from dormouse.replica.layout import Layout
from dormouse.replica.refusal import Refused
from dormouse_operator.controller.resources import PODS, SECRETS, STORES, WORKFLOWS, Document, Resource
from dormouse_operator.plan import FINALIZER, identity_of, is_watched
from unit.operator_controller.interleaved_loop import VirtualLoop
from unit.operator_controller.interleaved_server import Bucket, Objects
from unit.operator_plan.pods import environment, seen
from unit.operator_samples import NOW, UID, document

KEY = ("team", "report")
LAYOUT = Layout.of("team/prod", "team", "report")


class Surroundings:
    """Of one workflow, with a store that is good."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.objects, self.bucket = Objects(), Bucket()
        self.lost: set[str] = set()
        self.once_lost: set[str] = set()
        self.now = NOW
        self.claimed: set[int] = set()
        """The epochs that ever were."""
        self.is_forged = False
        """Whether somebody edited the status: it may say what it wants then."""
        self._put_samples()

    def close(self) -> None:
        self.loop.close()

    def _put_samples(self) -> None:
        good = {"status": "True", "reason": "Good", "message": "", "lastTransitionTime": "2026-03-01T12:00:00Z"}
        conditions = [{**good, "type": kind} for kind in ("ConditionalWrites", "InUse")]
        store = document("ObjectStore", {"status": {"conditions": conditions}, "metadata.uid": "store"})
        self.objects.put(STORES, store, None)
        keys = {name: base64.b64encode(b"x").decode() for name in ("accessKeyId", "secretAccessKey")}
        secret = {"metadata": {"name": "local", "namespace": "team", "uid": "secret"}, "data": keys}
        self.objects.put(SECRETS, secret, None)
        self.objects.put(WORKFLOWS, document("DurableWorkflow"), None)

    def wait(self, seconds: float) -> None:
        """Both clocks move."""
        self.loop.now += max(0.0, seconds)
        self.now += timedelta(seconds=seconds)

    def list_now(self, resource: Resource) -> tuple[list[Document], int]:
        found = self.objects.all(resource)
        watched = [each for each in found if resource is not PODS or is_watched(each)]
        return watched, self.objects.version

    # The workflow.

    def edit(self, change: Callable[[Document], object]) -> None:
        """Somebody changes it, if it is still there."""
        if not self.is_gone():
            self.objects.change(WORKFLOWS, "report", change)

    def forge(self, change: Callable[[Document], object]) -> None:
        """Somebody writes into its status."""
        self.is_forged = True
        self.edit(change)

    def delete(self) -> None:
        self.edit(_deleted)
        if not self.is_gone() and not self.is_held():
            self.objects.remove(WORKFLOWS, "report")

    def is_held(self) -> bool:
        return FINALIZER in (self.objects.get(WORKFLOWS, *KEY)["metadata"].get("finalizers") or ())

    def is_gone(self) -> bool:
        return ("durableworkflows", KEY) not in self.objects.held

    def status(self) -> Document:
        status: Document = self.objects.get(WORKFLOWS, *KEY).get("status") or {}
        return status

    # Its data.

    def current(self) -> Current | None:
        found = self.bucket.objects.get(LAYOUT.current)
        return None if found is None else decode(found[0])

    def owns_current(self, name: str) -> bool:
        current = self.current()
        return (
            current is not None
            and current.workflow_uid == UID
            and current.owner == self.objects.get(PODS, "team", name)["metadata"]["uid"]
        )

    def is_let_go(self) -> bool:
        current = self.current()
        return current is None or current.workflow_uid != UID or current.state is State.RELEASED

    # Its pods.

    def pods(self) -> list[Document]:
        return [each for each in self.objects.all(PODS) if identity_of(each) is not None]

    def epoch(self, name: str) -> int:
        return int(name.rpartition("-e")[2])

    def live(self) -> list[str]:
        """That could write: one that was on a lost node once is fenced by its epoch."""
        running = [
            each for each in self.pods() if (each.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        nodes = self.lost | self.once_lost
        return [each["metadata"]["name"] for each in running if (each["spec"].get("nodeName")) not in nodes]

    def update(self, name: str, **now: Any) -> None:
        """The kubelet says so."""

        def edit(pod: Document) -> None:
            pod["spec"].setdefault("nodeName", "node-a")
            made = seen(pod, node=pod["spec"]["nodeName"], **now)
            pod["status"] = made["status"]

        self.objects.change(PODS, name, edit)

    def claim(self, name: str) -> None:
        """As the keeper of this pod does."""
        pod, current = self.objects.get(PODS, "team", name), self.current()
        if self.owns_current(name):
            if current is not None and current.state is not State.ACTIVE:
                self.update(name, keeper_said={"reason": "Fenced"})
            return
        owner = pod["metadata"]["uid"]
        claimant = Claimant(
            workflow_uid=environment(pod, "DORMOUSE_WORKFLOW_UID"),
            owner=owner,
            epoch=self.epoch(name),
            prefix=LAYOUT.epoch(self.epoch(name), owner),
            nonce=f"claims-{self.objects.version}",
            first_claim=environment(pod, "DORMOUSE_FIRST_CLAIM") == "true",
        )
        try:
            decision = decide(current, claimant, Volume.UNMARKED, Prefix(0, own_has_data=False))
        except Refused as refused:
            said = {"reason": refused.refusal.reason, "message": "because", **refused.refusal.facts}
            self.update(name, keeper_said=said)
            return
        assert isinstance(decision, Write)
        self.bucket.write(LAYOUT.current, encode(decision.record))
        self.claimed.add(claimant.epoch)
        self.update(name, keeper=True)

    def runs(self, name: str) -> None:
        """If CURRENT says that it lives."""
        current = self.current()
        if current is not None and self.owns_current(name) and current.state is State.ACTIVE:
            self.update(name, keeper=True, runtime=True)

    def seal(self, name: str, reason: SealReason) -> None:
        """If it still can."""
        current = self.current()
        if current is not None and self.owns_current(name) and current.state is State.ACTIVE:
            record = current.next(f"seals-{self.objects.version}", state=State.SEALED, seal_reason=reason)
            self.bucket.write(LAYOUT.current, encode(record))

    def obey_deletions(self, *, sealed: bool) -> None:
        for pod in self.pods():
            name = pod["metadata"]["name"]
            if "deletionTimestamp" in pod["metadata"] and pod["spec"].get("nodeName") not in self.lost:
                if sealed:
                    self.seal(name, SealReason.STOPPED)
                if pod["metadata"].get("finalizers"):
                    self.update(name, phase="Succeeded")
                else:
                    self.objects.remove(PODS, name)

    def collect(self) -> None:
        """What the workflow owned goes after it."""
        for pod in self.pods():
            if self.is_gone() and pod["metadata"].get("ownerReferences"):
                self.objects.change(PODS, pod["metadata"]["name"], _deleted)

    def calm(self) -> None:
        """Kubelets, keepers and the garbage collector do what they should."""
        self.collect()
        for pod in self.pods():
            if pod["metadata"].get("finalizers") and "deletionTimestamp" in pod["metadata"]:
                self.objects.change(PODS, pod["metadata"]["name"], lambda pod: pod["metadata"].pop("finalizers"))
        self.obey_deletions(sealed=False)
        for pod in self.pods():
            name, phase = pod["metadata"]["name"], (pod.get("status") or {}).get("phase")
            if phase in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]:
                continue
            self.claim(name)
            if not _is_ready(self.objects.get(PODS, "team", name)):
                self.runs(name)

    def described(self) -> str:
        """For a person who asks why it never came to rest."""
        pods = [
            (
                pod["metadata"]["name"],
                "deletionTimestamp" in pod["metadata"],
                pod["spec"].get("nodeName"),
                pod.get("status"),
            )
            for pod in self.pods()
        ]
        return f"status {self.status()}\npods {pods}\nCURRENT {self.current()}"


def _deleted(document: Document) -> None:
    document["metadata"].setdefault("deletionTimestamp", "2026-03-01T12:00:00Z")


def _is_ready(pod: Document) -> bool:
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(each.get("ready") for each in containers)
