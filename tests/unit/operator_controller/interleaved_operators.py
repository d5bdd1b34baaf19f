"""How does a test run two real operators' steps one request at a time, in any order?

Real: plan, reconciler, caches, status writer, actor, memories, and the decisions of a keeper's claim. The test is API
server, bucket, watches, clock, kubelet and keeper.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import convert

from dormouse.replica.claim import Claimant, Prefix, Volume, Write, decide
from dormouse.replica.current import Current, SealReason, State, decode, encode
from dormouse.replica.layout import Layout
from dormouse.replica.refusal import Refused
from dormouse_operator.controller.api_server import ApiError, NotFound, Version
from dormouse_operator.controller.cordons import CordonWatch
from dormouse_operator.controller.credentials import CredentialReader
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.life_traces import LifeTraces
from dormouse_operator.controller.nodes import NodeWatch
from dormouse_operator.controller.reconciling import Reconciler
from dormouse_operator.controller.relisting import WATCHED
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.resources import PODS, SECRETS, STORES, WORKFLOWS, Document, Resource, key_of
from dormouse_operator.controller.slots import Slots
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.controller.store_status import StoreStatuses
from dormouse_operator.controller.tally import Tally
from dormouse_operator.controller.turns import RollTurns
from dormouse_operator.controller.waiting_times import WaitingTimes
from dormouse_operator.controller.world import World
from dormouse_operator.plan import FINALIZER, Settings, identity_of, is_watched
from unit.operator_controller.interleaved_loop import VirtualLoop
from unit.operator_controller.interleaved_server import (
    AskedApi,
    AskedStore,
    Bucket,
    Line,
    Objects,
    Outcome,
    Told,
)
from unit.operator_plan.pods import environment, seen
from unit.operator_samples import NOW, UID, document

KEY = ("team", "report")
LAYOUT = Layout.of("team/prod", "team", "report")
SETTINGS = Settings(on_cluster=True)


class AskedLanes(StoreLanes):
    """Every turn comes at once, and opens the test's bucket."""

    def __init__(self, store: AskedStore) -> None:
        super().__init__(Slots(8), Tally())
        self._store = store

    @asynccontextmanager
    async def turn(self, *_: Any) -> AsyncIterator[Any]:
        yield self

    def open(self, *_: Any) -> Any:
        return self._store


class LostNodes(NodeWatch):
    """Those that the test says."""

    def __init__(self, lost: set[str]) -> None:
        self._lost = lost

    def lost(self, seconds: float) -> frozenset[str]:  # noqa: ARG002 - as there
        return frozenset(self._lost)


class OneOperator:
    """A process: what it knows goes with it."""

    def __init__(self, name: str, world: Interleaved) -> None:
        self.line = Line(name)
        self._around = world
        self.events: list[Told] = []
        self.listed: dict[Resource, tuple[list[Document], int]] = {}
        self.step: asyncio.Task[float | None] | None = None
        self.pause: float | None = None
        self.failed = False
        self.began_at = 0
        """The version at which the step began."""
        self.start()

    def start(self) -> None:
        """A new process, which lists everything first."""
        around, line = self._around, self.line
        api = AskedApi(around.objects, line, around.look_at_write, around.look_at_refusal, around.look_at_list).as_api()
        self.world = World(lambda _: None)
        self.events.clear()
        self.listed.clear()
        store = AskedStore(around.bucket, line, around.look_at_store)
        credentials = CredentialReader(api, Path())
        events = EventTeller(api, line.name, Tally())
        statuses = StoreStatuses(api, self.world)
        holder = StoreHolder(api, self.world, credentials, statuses, events)
        self._reconciler = Reconciler(
            api,
            self.world,
            credentials,
            events,
            LostNodes(around.lost),
            CordonWatch(api, self.world),
            Inbox(),
            holder,
            AskedLanes(store),
            WaitingTimes(Tally()),
            RollTurns(0, lambda _: None),
            LifeTraces(None),
            SETTINGS,
            lambda: around.now,
        )
        self.list_all()

    def list_all(self) -> None:
        """As a process that starts."""
        for resource in WATCHED:
            self.listed[resource] = self._around.list_now(resource)
            self.take_list(resource, is_whole=True)

    def take_list(self, resource: Resource, *, is_whole: bool = False) -> None:
        """What was listed, maybe long ago. As for the relister, versions: what is missed is read as it is now."""
        if resource in self.listed:
            documents, version = self.listed.pop(resource)
            for each in documents:
                if is_whole:
                    self.world.put(resource, each)
                elif self.world.lacks(resource, convert(each["metadata"], Version)):
                    with suppress(NotFound):
                        self.world.put(resource, self._around.objects.get(resource, *key_of(each)))
            present = [each["metadata"]["uid"] for each in documents]
            self.world.compare(resource, present, version, self.world.keys(resource, None))

    def see(self, count: int) -> None:
        """The next events of the watches."""
        for _ in range(min(count, len(self.events))):
            told = self.events.pop(0)
            (self.world.drop if told.is_deleted else self.world.put)(told.resource, told.document)

    def begin(self) -> None:
        """A step, unless one is under way."""
        if self.step is None:
            self.began_at = self._around.objects.version
            self.step = self._around.loop.create_task(self._reconciler.step(KEY))
            self._around.loop.settle()
            self.finish()

    def go_on(self, outcome: Outcome) -> None:
        """The request that waits is settled."""
        if self.line.waiting:
            self.line.settle(outcome)
            self._around.loop.settle()
            self.finish()

    def finish(self) -> None:
        """Look how the step ended, if it has. Any error but an ApiError is a mistake."""
        if self.step is None or not self.step.done():
            assert self.step is None or self.line.waiting, "the step waits for nothing"
            return
        step, self.step = self.step, None
        self.failed = False
        try:
            self.pause = step.result()
        except ApiError:
            self.pause, self.failed = 0.5, True

    def whole_step(self) -> None:
        """One that nothing disturbs."""
        self.begin()
        self.go_on_to_the_end()

    def go_on_to_the_end(self) -> None:
        """Of the step that is under way."""
        for _ in range(200):
            if self.step is None:
                return
            self.go_on(Outcome.DONE)
        raise AssertionError("one step asks without end")

    def die(self) -> None:
        """What it had sent may still arrive."""
        if self.step is not None:
            self.step.cancel()
            self._around.loop.settle()
            self.step = None
        self.start()


class Interleaved:
    """One workflow, two operators that both believe to lead, and everything that may happen around them."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.objects, self.bucket = Objects(), Bucket()
        self.lost: set[str] = set()
        self.now = NOW
        self.read: dict[str, Current | None] = {}
        self.epochs: set[int] = set()
        self.late_epochs: set[int] = set()
        self.refused_epochs: set[int] = set()
        self.made_by: dict[int, tuple[str, int]] = {}
        """Each epoch's operator, and the version then."""
        self.listed_at: dict[str, int] = {}
        self.read_at: dict[str, int] = {}
        self.once_lost: set[str] = set()
        self.was_claimed = self.was_completed = False
        self._put_samples()
        self.operators = {name: OneOperator(name, self) for name in ("a", "b")}
        self.objects.watches.append(self._tell)

    def close(self) -> None:
        for each in self.operators.values():
            each.die()
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

    def _tell(self, told: Told) -> None:
        for each in self.operators.values():
            each.events.append(told)

    def list_now(self, resource: Resource) -> tuple[list[Document], int]:
        found = self.objects.all(resource)
        watched = [each for each in found if resource is not PODS or is_watched(each)]
        return watched, self.objects.version

    # What must hold.

    def look_at_write(self, who: str, resource: Resource, made: Document) -> None:
        """Each creation, before it is done, and each patch, after it."""
        if resource is PODS:
            self._look_at_creation(who, made)
        if resource is WORKFLOWS and FINALIZER not in (made["metadata"].get("finalizers") or ()):
            deleted = made["metadata"].get("deletionTimestamp")
            assert not deleted or self.is_let_go(), "the object goes, and its data is nobody's"

    def look_at_list(self, who: str, resource: Resource) -> None:
        if resource is PODS:
            self.listed_at[who] = self.objects.version

    def known_alive(self, who: str) -> list[str]:
        """The pods that could write, and that this operator made itself, or could see when it listed pods last.

        What another operator makes after that nothing but the epochs keeps from writing: docs/design.md, 9.
        """

        def is_known(epoch: int) -> bool:
            maker, version = self.made_by.get(epoch, ("", 0))
            return maker == who or version < self.listed_at.get(who, 0)

        return [each for each in self.live() if self.epoch(each) not in self.late_epochs and is_known(self.epoch(each))]

    def look_at_refusal(self, made: Document) -> None:
        """The pod was never there: its epoch may be asked for again."""
        self.refused_epochs.add(self.epoch(made["metadata"]["name"]))

    def _look_at_creation(self, who: str, made: Document) -> None:
        identity = identity_of(made)
        assert identity is not None
        epoch, line = identity.epoch, self.operators[who].line
        assert epoch not in self.epochs - self.refused_epochs, "an epoch was used twice"
        self.epochs.add(epoch)
        if line.is_arriving_late:
            self.late_epochs.add(epoch)
            return
        workflow = self.objects.get(WORKFLOWS, *KEY)
        assert (workflow.get("status") or {}).get("epoch", 0) >= epoch or self.is_forged, (
            "a pod whose epoch no status remembers"
        )
        assert FINALIZER in workflow["metadata"]["finalizers"], "a pod before the object is held"
        last_news = max(self.operators[who].began_at, self.read_at.get(who, 0))
        is_known = not self.epochs - {epoch} or self.listed_at.get(who, -1) >= last_news
        assert is_known, "a pod that a live list may have shown was not looked for"
        self.made_by.setdefault(epoch, (who, self.objects.version))
        assert not (alive := self.known_alive(who)), f"{alive} could still write"
        known = self.read.get(who)
        if known is not None:
            assert epoch > known.epoch, "an epoch at or below CURRENT"
            assert known.workflow_uid != UID or known.seal_reason is not SealReason.COMPLETED, "it had completed"
        elif self.epochs - {epoch}:
            assert who in self.read, "created without reading CURRENT"
        told_first = environment(made, "DORMOUSE_FIRST_CLAIM") == "true"
        if told_first and self.was_claimed:
            assert self.late_epochs, "a first claim after a claim"

    def look_at_store(self, who: str, what: str, data: bytes) -> None:
        """What was read is remembered; data is given away only when nobody can write it."""
        record = decode(data) if data else None
        if what == "read":
            self.read[who], self.read_at[who] = record, self.objects.version
            return
        assert record is not None
        assert record.state in (State.RELEASED, State.DELETING)
        if not self.operators[who].line.is_arriving_late:
            assert not (alive := self.known_alive(who)), f"{alive} could still write what is released"

    is_forged = False
    """Whether somebody edited the status: it may say what it wants then."""

    def is_let_go(self) -> bool:
        current = self.current()
        return current is None or current.workflow_uid != UID or current.state is State.RELEASED

    # Pods.

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
        self.was_claimed = True
        self.update(name, keeper=True)

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

    def edit(self, change: Callable[[Document], object]) -> None:
        """Somebody changes the workflow, if it is still there."""
        if ("durableworkflows", KEY) in self.objects.held:
            self.objects.change(WORKFLOWS, "report", change)

    def is_held(self) -> bool:
        return FINALIZER in (self.objects.get(WORKFLOWS, *KEY)["metadata"].get("finalizers") or ())

    def is_gone(self) -> bool:
        return ("durableworkflows", KEY) not in self.objects.held

    def status(self) -> Document:
        status: Document = self.objects.get(WORKFLOWS, *KEY).get("status") or {}
        return status

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

    def wait(self, seconds: float) -> None:
        """Both clocks move."""
        self.loop.now += max(0.0, seconds)
        self.now += timedelta(seconds=seconds)
