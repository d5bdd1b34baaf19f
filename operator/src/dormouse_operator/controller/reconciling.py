"""How does one workflow get from what is observed to what is planned? One step, repeated whenever something changes.

observe -> plan -> save the status -> act. The status goes first and only onto the very version that was planned
with: of two operators that plan the same epoch, one gets a Conflict and does nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from dormouse_operator.api import DurableWorkflow, InvalidManifest, ObjectMeta, ObjectStore, read
from dormouse_operator.controller.acting import Actor
from dormouse_operator.controller.api_server import ApiServer, Conflict, NamespaceEnds, NotFound, Refused, TooLarge
from dormouse_operator.controller.asking import Seen, StoreAsker
from dormouse_operator.controller.budgets import BudgetKeeper
from dormouse_operator.controller.cordons import CordonWatch
from dormouse_operator.controller.credentials import CredentialReader, Credentials
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.life_traces import LifeTraces
from dormouse_operator.controller.memory import Memories, Memory
from dormouse_operator.controller.minting import SessionMinter
from dormouse_operator.controller.nodes import NodeWatch
from dormouse_operator.controller.read_stores import ReadStores
from dormouse_operator.controller.relisting import compare
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.resources import PODS, WORKFLOWS, Document, Key, key_of
from dormouse_operator.controller.saving import StatusWriter
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.controller.turns import RollTurns
from dormouse_operator.controller.waiting_times import WaitingTimes
from dormouse_operator.controller.world import World
from dormouse_operator.plan import (
    MANAGED_BY_LABEL,
    NAME_LABEL,
    Action,
    AddFinalizer,
    ApplyBudget,
    ApplyConfigMap,
    CreateCheck,
    CreatePod,
    DeleteBudget,
    DeletePod,
    DeleteWorkflow,
    EmitEvent,
    LeaveStore,
    MintSession,
    Observed,
    Plan,
    ReadCurrent,
    ReleaseData,
    RemoveFinalizer,
    Settings,
    check_session_name,
    check_source_name,
    is_watched,
    may_be_unseen,
    plan,
    rests_on_absence,
    session_name,
)

_LOOK_AGAIN_SECONDS = 300.0
"""For a Secret that appears, in case nobody tells: who looks after the store does, whose status wakes all that wait."""
_NO_WATCH_TELLS = frozenset({"SecretNotFound", "SecretKeyMissing"})
_MOST_ROUNDS = 20
_MANY_ROUNDS_SECONDS = 1.0
"""What goes round in circles, because a store forgets what was written, does so once a second."""

_UNWRITABLE_SECONDS = 300.0
"""Somebody has to change the object, and that is told."""

log = logging.getLogger(__name__)


class _Unwritable(Exception):
    """The object has no room for a status."""


class Reconciler:
    """Plans for one workflow at a time; the queue sees to it that no two steps of one key overlap."""

    def __init__(
        self,
        api: ApiServer,
        world: World,
        credentials: CredentialReader,
        events: EventTeller,
        nodes: NodeWatch,
        cordons: CordonWatch,
        inbox: Inbox,
        holder: StoreHolder,
        lanes: StoreLanes,
        waiting_times: WaitingTimes,
        turns: RollTurns,
        traces: LifeTraces,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`settings` are the installation's, the same for every workflow."""
        self._api = api
        self._world = world
        self._credentials = credentials
        self._events = events
        self._nodes = nodes
        self._cordons = cordons
        self._budgets = BudgetKeeper(api)
        self._inbox = inbox
        self._holder = holder
        self._asker = StoreAsker(lanes)
        self._minter = SessionMinter(api, lanes, events)
        self._waiting_times = waiting_times
        self._turns = turns
        self._traces = traces
        self._settings = settings
        self._now = now
        self._actor = Actor(api, world)
        self._statuses = StatusWriter(api, WORKFLOWS)
        self._memories = Memories()
        self._stores = ReadStores(world.stores)

    async def step(self, key: Key) -> float | None:
        """Do what there is to do now; after how many seconds to come back unless something changes. Raises ApiError."""
        looked_for: tuple[str, ...] | None = None
        self._traces.looked(key)
        self._memories.begins_step(key)
        for _ in range(_MOST_ROUNDS):
            if (seen := await self._see(key)) is None:
                return None
            planned = plan(seen.workflow, seen.observed, self._now(), self._settings)
            rests = rests_on_absence(seen.workflow, planned, seen.observed)
            if rests and seen.memory.is_current_old and not self._asker.pauses(seen.memory):
                seen.memory.forget_current()
                await self._ask(seen, planned, ReadCurrent())
                continue
            unseen = may_be_unseen(seen.workflow, seen.observed.current)
            if rests and looked_for != unseen:
                with self._traces.doing(key, "list pods"):
                    await self._list_pods(key, seen.workflow.metadata.uid, unseen)
                looked_for = unseen
                continue
            if planned.wants_turn and self._turns.ask(key):
                continue
            try:
                is_news = await self._do(seen, planned)
            except _Unwritable:
                return _UNWRITABLE_SECONDS
            if not is_news:
                return _pause(planned)
            looked_for = None  # a store may have taken its time
        return _MANY_ROUNDS_SECONDS

    async def _see(self, key: Key) -> Seen | None:
        document = self._world.workflows.get(key)
        if document is None:
            self._memories.forget(key)
            self._inbox.forget(key)
            self._waiting_times.forget(key)
            self._turns.give_back(key)
            self._traces.forget(key)
            return None
        try:
            workflow = read(document)
        except InvalidManifest as invalid:
            # The CRD refuses it; only one of another version lets it through.
            await self._events.tell(document, EmitEvent("Warning", "InvalidManifest", str(invalid)))
            self._turns.give_back(key)
            return None
        assert isinstance(workflow, DurableWorkflow)  # noqa: S101 - the cache holds nothing else
        memory = self._memories.of(key, workflow.metadata.uid)
        store, credentials = await self._find_store(workflow, memory)
        await self._look_at_the_unwatched(workflow)
        pods = self._world.pods.group(workflow.metadata.uid)
        metadata = workflow.metadata
        own = memory.minting(session_name(metadata.name, metadata.uid))
        checks = memory.minting(check_session_name(metadata.name, metadata.uid))
        observed = Observed(
            pods=pods,
            store=store,
            secret_keys=None if credentials is None else credentials.keys,
            secret_version="" if credentials is None else credentials.version,
            session=own.session,
            session_error=own.error,
            check_session=checks.session,
            check_session_error=checks.error,
            current=memory.current(pods),
            lost_nodes=self._nodes.lost(workflow.spec.node_lost_seconds),
            cordoned_nodes=self._cordons.cordoned(),
            has_budget=memory.has_budget,
            budget_error=memory.budget_error,
            refusal=memory.refusal(workflow.status.pod_name, workflow.metadata.generation, _clock()),
            refused_check=memory.refused_check,
            namespace_ends=memory.namespace_ends,
            release_error=memory.release_error,
            report=self._inbox.get(key),
            may_roll=self._turns.has(key),
        )
        return Seen(document, workflow, store, credentials, observed, memory)

    async def _find_store(
        self, workflow: DurableWorkflow, memory: Memory
    ) -> tuple[ObjectStore | None, Credentials | None]:
        key = (workflow.metadata.namespace, workflow.spec.storage.store_ref.name)
        store = self._stores.get(key)
        credentials = None if store is None else await self._credentials.read(store)
        if store is not None and credentials is not None and credentials.secret is not None:
            memory.opened = self._memories.opened(key, store, credentials)
        elif workflow.metadata.deletion_timestamp and memory.opened is not None:
            # Somebody took the store or its Secret away, finalizers and all, before we were done with them.
            return memory.opened
        return store, credentials

    async def _list_pods(self, key: Key, uid: str, unseen: tuple[str, ...]) -> None:
        namespace, name = key
        labels = {MANAGED_BY_LABEL: "dormouse", NAME_LABEL: name}
        selector = ",".join(f"{label}={value}" for label, value in labels.items())
        await compare(self._api, self._world, PODS, namespace, selector, partial(self._labelled_pods, key, uid))
        for pod in unseen:
            if self._world.pods.get((namespace, pod)) is None:
                await self._look_for_pod(namespace, pod)

    def _labelled_pods(self, key: Key, uid: str) -> tuple[Key, ...]:
        """What is known of those that the list must have."""
        pods = self._world.pods.group(uid)
        return tuple(key_of(pod) for pod in pods if (pod["metadata"].get("labels") or {}).get(NAME_LABEL) == key[1])

    async def _look_for_pod(self, namespace: str, name: str) -> None:
        """By its name, which a pod keeps when its labels are taken away."""
        known = self._world.pods.get((namespace, name))
        try:
            self._world.found(PODS, await self._api.get(PODS, namespace, name))
        except NotFound:
            if known is not None:
                self._world.drop(PODS, known)

    async def _look_at_the_unwatched(self, workflow: DurableWorkflow) -> None:
        """What no watch tells of."""
        for pod in self._world.pods.group(workflow.metadata.uid):
            if not is_watched(pod):
                await self._look_for_pod(*key_of(pod))

    async def _do(self, seen: Seen, planned: Plan) -> bool:
        """Whether there is something new to plan with."""
        if await self._ask_for_status(seen, planned):
            return True
        key = key_of(seen.document)
        with self._traces.doing(key, "save status"):
            is_saved = await self._save(seen.document, planned)
        if not is_saved:
            return False
        self._inbox.saved(key, seen.observed.report)
        if seen.observed.may_roll:  # else its turn may have come meanwhile
            self._turns.give_back(key)
        if planned.status.phase != seen.workflow.status.phase:
            log.debug("workflow %s: %s", "/".join(key), planned.status.phase)
        self._waiting_times.saved(key, seen.workflow.status, planned.status)
        self._traces.saved(seen.workflow, planned.status, seen.observed.pods)
        for action in planned.actions:
            if await self._act(seen, action):
                return True
        is_news = False
        for action in planned.actions:  # a store may take its time
            if isinstance(action, ReleaseData) or (isinstance(action, ReadCurrent) and not action.is_for_status):
                is_news = await self._ask(seen, planned, action) or is_news
            elif isinstance(action, MintSession):
                with self._traces.doing(key, "mint credentials"):
                    is_news = await self._minter.mint(seen, action) or is_news
            elif isinstance(action, ApplyBudget | DeleteBudget):
                is_news = await self._budgets.keep(seen, action) or is_news
        return is_news

    async def _ask_for_status(self, seen: Seen, planned: Plan) -> bool:
        """Whether there is something new that belongs into the status; at most once without an answer."""
        for action in planned.actions:
            if isinstance(action, ReadCurrent) and action.is_for_status:
                return await self._ask(seen, planned, action)
        return False

    async def _ask(self, seen: Seen, planned: Plan, action: ReadCurrent | ReleaseData) -> bool:
        what = "read store" if isinstance(action, ReadCurrent) else "release data"
        with self._traces.doing(key_of(seen.document), what):
            return await self._asker.ask(seen, action, planned.requeue_after_seconds or 0.0)

    async def _save(self, document: Document, planned: Plan) -> bool:
        """False when the object is gone, and with it everything that was planned."""
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        try:
            saved = await self._statuses.save(document, planned.status)
        except NotFound:
            self._world.drop(WORKFLOWS, document)
            return False
        except TooLarge as refused:
            # Whoever deletes it must not wait for what nobody will read.
            if document["metadata"].get("deletionTimestamp"):
                return True
            told = f"no status can be written, so nothing is done: {refused}; make the spec or the annotations smaller"
            await self._events.tell(document, EmitEvent("Warning", "InvalidManifest", told))
            raise _Unwritable from refused
        except Conflict:
            # What was planned with is old; the next step starts from what is there now.
            self._world.put(WORKFLOWS, await self._api.get(WORKFLOWS, namespace, name))
            raise
        if saved is not None:
            self._world.put(WORKFLOWS, saved)
        return True

    async def _act(self, seen: Seen, action: Action) -> bool:
        """Whether there is something new to plan with: then what comes after it is not done."""
        metadata = seen.workflow.metadata
        key = (metadata.namespace, metadata.name)
        try:
            if isinstance(action, CreatePod):
                with self._traces.doing(key, "create pod"):
                    await self._actor.create_pod(action)
                seen.memory.was_taken()
            elif isinstance(action, CreateCheck):
                await self._actor.create_pod(action)
                seen.memory.refused_check = ""
            elif isinstance(action, DeletePod):
                await self._actor.delete_pod(metadata.namespace, action)
            elif isinstance(action, DeleteWorkflow):
                await self._actor.delete_workflow(seen.document)
            elif isinstance(action, ApplyConfigMap):
                await self._actor.apply_config_map(action)
            elif isinstance(action, LeaveStore):
                await self._holder.leave(seen.document)
            elif isinstance(action, AddFinalizer | RemoveFinalizer):
                newest = self._world.workflows.get(key) or seen.document
                await self._actor.set_finalizer(newest, is_held=isinstance(action, AddFinalizer))
            elif isinstance(action, EmitEvent):
                await self._events.tell(seen.document, action)
        except NamespaceEnds as ends:
            log.info("workflow %s: %s", "/".join(key), ends)
            seen.memory.namespace_ends = True
            return True
        except Refused as refused:
            if not self._remember(seen, action, refused):
                raise
            return True
        return False

    def _remember(self, seen: Seen, action: Action, refused: Refused) -> bool:
        """Whether the next plan says that it was refused, and when it is asked for again."""
        metadata = seen.workflow.metadata
        key = (metadata.namespace, metadata.name)
        if isinstance(action, CreateCheck) or _is_source_of_check(action, metadata):
            seen.memory.refused_check = str(refused)
            return False
        if not isinstance(action, AddFinalizer | ApplyConfigMap | CreatePod):
            return False
        log.info("workflow %s: the pod was refused: %s", "/".join(key), refused)
        newest = self._world.workflows.get(key) or seen.document
        pod = str((newest.get("status") or {}).get("podName", ""))
        seen.memory.was_refused(pod, metadata.generation, str(refused), _clock())
        return True


def _is_source_of_check(action: Action, metadata: ObjectMeta) -> bool:
    named = check_source_name(metadata.name, metadata.uid)
    return isinstance(action, ApplyConfigMap) and action.manifest["metadata"]["name"] == named


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _pause(planned: Plan) -> float | None:
    if planned.requeue_after_seconds is not None:
        return planned.requeue_after_seconds
    why = planned.status.condition("Stalled")
    is_waiting = why is not None and why.status == "True" and why.reason in _NO_WATCH_TELLS
    return _LOOK_AGAIN_SECONDS if is_waiting else None
