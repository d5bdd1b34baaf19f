"""How do the parts of the operator live and end together?"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes.aio.client import Configuration

from dormouse.runtime.tracing import send_the_last
from dormouse_operator.controller.api_server import ApiError, ApiServer, Conflict, NotFound, Unavailable
from dormouse_operator.controller.cordons import CordonWatch
from dormouse_operator.controller.credentials import CredentialReader
from dormouse_operator.controller.deep_documents import allow_deep_documents
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.figures import Figures, Leading
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.leading import Election
from dormouse_operator.controller.life_traces import LifeTraces
from dormouse_operator.controller.log_subjects import Subject, about
from dormouse_operator.controller.nodes import NodeWatch
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.probes import metrics, probes
from dormouse_operator.controller.readiness import Senses, objections
from dormouse_operator.controller.reconciling import Reconciler
from dormouse_operator.controller.relisting import WATCHED, Relister, relist
from dormouse_operator.controller.reports import ReportsServer
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.reports_sender import Senders
from dormouse_operator.controller.resources import WORKFLOWS
from dormouse_operator.controller.slots import Slots
from dormouse_operator.controller.standing import standing
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.controller.store_status import StoreStatuses
from dormouse_operator.controller.stores import BucketSettings, ProbeStore, StoreKeeper, bucket_settings, probe_store
from dormouse_operator.controller.tally import Outcome, Tally
from dormouse_operator.controller.turns import RollTurns
from dormouse_operator.controller.waiting_times import WaitingTimes
from dormouse_operator.controller.watching import watch
from dormouse_operator.controller.work_queue import WorkQueue
from dormouse_operator.controller.world import Task, World
from dormouse_operator.plan import Settings

if TYPE_CHECKING:
    from dormouse.telemetry import OpenTelemetry

log = logging.getLogger(__name__)


class NotInstalled(Exception):
    """The cluster lacks what the operator needs; the message says what to install or allow."""


class Operator:
    """One replica. The standby has the same caches, and only does not work on the queue."""

    def __init__(
        self,
        api: ApiServer,
        options: Options,
        folder: Path,
        tally: Tally,
        probe: ProbeStore = probe_store,
        settings_of: BucketSettings = bucket_settings,
        telemetry: OpenTelemetry | None = None,
    ) -> None:
        """`folder` is for small files of this life, `tally` is what `api` counts in too; `probe` and `settings_of`
        ask the real stores unless a test says otherwise; `telemetry` sends traces."""
        self._api = api
        self._options = options
        self._tally = tally
        self._is_filled = self._is_watching = self._is_leading = False
        self.queue: WorkQueue[Task] = WorkQueue(group_of=lambda task: task.key[0])
        self._turns = RollTurns(options.max_concurrent_rolls, lambda key: self.queue.add(Task("workflow", key)))
        self.world = World(self.queue.add, lambda key, is_rolling: self._turns.saw(key, is_rolling=is_rolling))
        self.nodes = NodeWatch(api, self.world)
        self.cordons = CordonWatch(api, self.world)
        credentials = CredentialReader(api, folder)
        events = EventTeller(api, options.candidate.identity, tally)
        settings = Settings(
            worker_image=options.worker_image,
            on_cluster=True,
            reports_url=options.reports_url,
            checks_replays=True,
            max_concurrent_rolls=options.max_concurrent_rolls,
            sends_life=telemetry is not None,
        )
        self._traces = LifeTraces(None if telemetry is None else telemetry.of_life)
        self._inbox = Inbox()
        self._reports = ReportsServer(self.world, Senders(api), self._inbox, tally)
        self._probes = probes(self._objections)
        self._metrics = metrics(tally, self._figures)
        self._waiting_times = WaitingTimes(tally)
        statuses = StoreStatuses(api, self.world)
        holder = StoreHolder(api, self.world, credentials, statuses, events)
        self._slots = Slots(options.workers, self.queue.look_again)
        lanes = StoreLanes(self._slots, tally)
        self._workflows = Reconciler(
            api,
            self.world,
            credentials,
            events,
            self.nodes,
            self.cordons,
            self._inbox,
            holder,
            lanes,
            self._waiting_times,
            self._turns,
            self._traces,
            settings,
        )
        self._stores = StoreKeeper(self.world, credentials, events, statuses, holder, lanes, probe, settings_of)

    async def fill(self) -> None:
        """List everything once: what cannot be listed cannot be watched either, and is said before anything starts.

        A namespace that was deleted has taken our Role there with it: the others are served all the same.
        """
        for resource in WATCHED:
            failures = await relist(self._api, self.world, self._options.namespaces, resource)
            for failed in failures:
                if isinstance(failed, NotFound):
                    told = f"the API server knows no {resource.plural}; install the chart dormouse-crds first"
                    raise NotInstalled(f"{told} ({failed})") from failed
                log.error("the %s cannot be listed: %s", resource.plural, failed)
            if len(failures) == len(self._options.namespaces or (None,)):
                raise NotInstalled(f"the {resource.plural} cannot be listed: {failures[0]}") from failures[0]
        self._is_filled = True

    async def listen(self) -> None:
        """Take reports, if that was asked for: a standby answers too, so that keepers need not wait for a time-out."""
        if (port := self._options.reports_port) is not None:
            await _listening("--reports-port", self._reports.listen(self._options.reports_host, port))
        if (port := self._options.probes_port) is not None:
            await _listening("--probes-port", self._probes.listen(port))
        if (port := self._options.metrics_port) is not None:
            await _listening("--metrics-port", self._metrics.listen(port))

    async def close(self) -> None:
        """Listen no more."""
        await self._reports.close()
        await self._probes.close()
        await self._metrics.close()

    def watches(self, goes_on: bool) -> None:
        """The watches have begun, or ended."""
        self._is_watching = goes_on
        self._tally.watches_ended += not goes_on

    def _objections(self) -> tuple[str, ...]:
        senses = Senses(self._is_filled, self._is_watching, self._api.answered_at, self._api.is_known)
        return tuple(objections(senses, asyncio.get_running_loop().time()))

    def _figures(self) -> Figures:
        leading = None
        if self._is_leading:
            world = self.world
            leading = Leading(self.queue.load(), standing(world.workflows, world.pods, world.stores))
        return Figures(is_ready=not self._objections(), leading=leading)

    async def work(self) -> None:
        """What the leader does, until cancelled: everything once, then whatever changes."""
        for task in self.world.all_tasks():
            self.queue.add(task)
        self._waiting_times.forget_all()
        self._traces.forget_all()
        self._is_leading = True
        try:
            with self._inbox.open():
                await self._work_on_queue()
        finally:
            self._is_leading = False
            self._turns.end()

    async def _work_on_queue(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._options.max_concurrent_rolls:
                group.create_task(self._begin_turns(), name="lists who rolls")
            while True:
                task = await self._next()
                step = group.create_task(self._step(task), name=f"{task.kind} {'/'.join(task.key)}")
                # Told by the loop, since a step that is cancelled before it begins tells nothing.
                step.add_done_callback(partial(self._done, task))

    async def _begin_turns(self) -> None:
        """The leader before us may have let one roll of which no watch has told us yet."""
        pauses = (1.0, 2.0, 5.0, 10.0)
        for pause in itertools.chain(pauses, itertools.repeat(30.0)):
            failures = await relist(self._api, self.world, self._options.namespaces, WORKFLOWS)
            # What is refused, or is not there, is not worked on either.
            if not any(isinstance(failed, Unavailable) for failed in failures):
                break
            log.warning("nothing rolls yet, since who rolls cannot be listed: %s", failures[0])
            await asyncio.sleep(pause)
        self._turns.begin()

    async def _next(self) -> Task:
        task = await self.queue.get(self._has_room)
        # Stores are looked at every few seconds, whether anybody has something to do or not.
        self._slots.take(task.key[0], is_noticed=task.kind == "workflow")
        return task

    def _has_room(self, namespace: Hashable) -> bool:
        return self._slots.has_room(str(namespace))

    def _done(self, task: Task, step: asyncio.Task[bool]) -> None:
        self.queue.done(task, failed=step.cancelled() or not step.result())
        self._slots.give_back(task.key[0])

    async def _step(self, task: Task) -> bool:
        """Whether it came to its end."""
        began = time.monotonic_ns()
        with about(partial(self._subject, task)):
            outcome = await self._try(task)
        self._tally.reconciles[task.kind, outcome] += 1
        self._tally.reconciling[task.kind].add(time.monotonic_ns() - began)
        return outcome == "done"

    def _subject(self, task: Task) -> Subject:
        namespace, name = task.key
        if task.kind == "store":
            return {"namespace": namespace, "store": name}
        workflow = self.world.workflows.get(task.key) or {}
        epoch = (workflow.get("status") or {}).get("epoch")
        return {"namespace": namespace, "dwf": name, **({"epoch": epoch} if epoch else {})}

    async def _try(self, task: Task) -> Outcome:
        name = "/".join(task.key)
        try:
            step = self._workflows.step if task.kind == "workflow" else self._stores.step
            pause = await step(task.key)
        except Conflict as behind:
            log.info("%s %s: planned with something old: %s", task.kind, name, behind)
            return "conflict"
        except ApiError as failed:
            log.warning("%s %s: %s", task.kind, name, failed)
            return "api_error"
        except Exception:  # one object that trips over a mistake of ours must not stop all others
            log.exception("%s %s: this is a mistake in dormouse", task.kind, name)
            return "mistake"
        if pause is not None:
            self.queue.add_after(task, pause)
        return "done"


def _telemetry() -> OpenTelemetry:
    try:
        from dormouse.telemetry import OpenTelemetry
    except ImportError as missing:
        raise NotInstalled(f"--telemetry: {missing}") from missing
    return OpenTelemetry(service_name="dormouse-operator", service_version=version("dormouse"))


async def _listening(option: str, listen: Awaitable[None]) -> None:
    try:
        await listen
    except OSError as taken:
        raise NotInstalled(f"{option}: {taken}") from taken


async def run(
    configuration: Configuration,
    options: Options,
    *,
    stop: asyncio.Event | None = None,
    probe: ProbeStore = probe_store,
    settings_of: BucketSettings = bucket_settings,
    started: Callable[[Operator], None] = lambda _: None,
) -> None:
    """Until SIGTERM, SIGINT or `stop`. Raises NotInstalled."""
    allow_deep_documents()
    stop = stop or asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="dormouse-operator-") as folder:
        tally = Tally()
        telemetry = _telemetry() if options.sends_traces else None
        async with ApiServer(configuration, tally=tally) as api, contextlib.AsyncExitStack() as ends:
            ends.push_async_callback(send_the_last, telemetry)
            operator = Operator(api, options, Path(folder), tally, probe, settings_of, telemetry)
            ends.push_async_callback(operator.close)
            await operator.fill()
            await operator.listen()
            started(operator)
            election = Election(api, options.candidate, options.terms)
            leading = asyncio.create_task(election.lead(operator.work), name="leads")
            relister = Relister(api, operator.world, options.namespaces, options.relist_seconds)
            relisting = asyncio.create_task(relister.run(), name="lists")
            looking = asyncio.create_task(operator.nodes.run(), name="looks at nodes")
            cordons = asyncio.create_task(operator.cordons.run(), name="looks at cordons")
            watching = asyncio.create_task(
                watch(configuration, options, operator.world, relister.hint, operator.watches), name="watches"
            )
            stopping = asyncio.create_task(stop.wait(), name="waits for the end")
            for each in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(each, stop.set)
            tasks = (leading, relisting, looking, cordons, watching, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # The lease is given back before the watches end: a standby goes on at once.
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
