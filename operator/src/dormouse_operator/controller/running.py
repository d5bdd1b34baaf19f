"""How do the parts of the operator live and end together?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from kubernetes.aio.client import Configuration

from dormouse_operator.controller.api_server import ApiError, ApiServer, Conflict, NotFound
from dormouse_operator.controller.credentials import CredentialReader
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.leading import Election
from dormouse_operator.controller.liveness import Liveness
from dormouse_operator.controller.nodes import NodeWatch
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.reconciling import Reconciler
from dormouse_operator.controller.relisting import WATCHED, Relister, relist
from dormouse_operator.controller.reports import ReportsServer
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.reports_sender import Senders
from dormouse_operator.controller.store_lanes import Slots, StoreLanes
from dormouse_operator.controller.store_status import StoreStatuses
from dormouse_operator.controller.stores import BucketSettings, ProbeStore, StoreKeeper, bucket_settings, probe_store
from dormouse_operator.controller.watching import watch
from dormouse_operator.controller.work_queue import WorkQueue
from dormouse_operator.controller.world import Task, World
from dormouse_operator.plan import Settings

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
        probe: ProbeStore = probe_store,
        settings_of: BucketSettings = bucket_settings,
    ) -> None:
        """`folder` is for small files of this life; `probe` and `settings_of` ask the real stores unless a test says
        otherwise."""
        self._api = api
        self._options = options
        self.queue: WorkQueue[Task] = WorkQueue()
        self.world = World(self.queue.add)
        self.nodes = NodeWatch(api, self.world)
        credentials = CredentialReader(api, folder)
        events = EventTeller(api, options.candidate.identity)
        settings = Settings(worker_image=options.worker_image, on_cluster=True, reports_url=options.reports_url)
        self._inbox = Inbox()
        self._reports = ReportsServer(self.world, Senders(api), self._inbox)
        self._liveness = Liveness()
        statuses = StoreStatuses(api, self.world)
        holder = StoreHolder(api, self.world, credentials, statuses, events)
        self._slots = Slots(options.workers)
        lanes = StoreLanes(self._slots)
        self._workflows = Reconciler(
            api, self.world, credentials, events, self.nodes, self._inbox, holder, lanes, settings
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

    async def listen(self) -> None:
        """Take reports, if that was asked for: a standby answers too, so that keepers need not wait for a time-out."""
        if (port := self._options.reports_port) is not None:
            await _listening("--reports-port", self._reports.listen(self._options.reports_host, port))
        if (port := self._options.liveness_port) is not None:
            await _listening("--liveness-port", self._liveness.listen(port))

    async def close(self) -> None:
        """Listen no more."""
        await self._reports.close()
        await self._liveness.close()

    async def work(self) -> None:
        """What the leader does, until cancelled: everything once, then whatever changes."""
        for task in self.world.all_tasks():
            self.queue.add(task)
        with self._inbox.open():
            await self._work_on_queue()

    async def _work_on_queue(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                task = await self._next()
                step = group.create_task(self._step(task), name=f"{task.kind} {'/'.join(task.key)}")
                # Told by the loop, since a step that is cancelled before it begins tells nothing.
                step.add_done_callback(partial(self._done, task))

    async def _next(self) -> Task:
        await self._slots.take()
        try:
            return await self.queue.get()
        except asyncio.CancelledError:
            self._slots.give_back()
            raise

    def _done(self, task: Task, step: asyncio.Task[bool]) -> None:
        self.queue.done(task, failed=step.cancelled() or not step.result())
        self._slots.give_back()

    async def _step(self, task: Task) -> bool:
        """Whether it came to its end."""
        try:
            step = self._workflows.step if task.kind == "workflow" else self._stores.step
            pause = await step(task.key)
        except Conflict as behind:
            log.info("%s %s: planned with something old: %s", task.kind, "/".join(task.key), behind)
        except ApiError as failed:
            log.warning("%s %s: %s", task.kind, "/".join(task.key), failed)
        except Exception:  # one object that trips over a mistake of ours must not stop all others
            log.exception("%s %s: this is a mistake in dormouse", task.kind, "/".join(task.key))
        else:
            if pause is not None:
                self.queue.add_after(task, pause)
            return True
        return False


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
    stop = stop or asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="dormouse-operator-") as folder:
        async with ApiServer(configuration) as api, contextlib.AsyncExitStack() as ends:
            operator = Operator(api, options, Path(folder), probe, settings_of)
            ends.push_async_callback(operator.close)
            await operator.fill()
            await operator.listen()
            started(operator)
            election = Election(api, options.candidate, options.terms)
            leading = asyncio.create_task(election.lead(operator.work), name="leads")
            relister = Relister(api, operator.world, options.namespaces, options.relist_seconds)
            relisting = asyncio.create_task(relister.run(), name="lists")
            looking = asyncio.create_task(operator.nodes.run(), name="looks at nodes")
            watching = asyncio.create_task(watch(configuration, options, operator.world, relister.hint), name="watches")
            stopping = asyncio.create_task(stop.wait(), name="waits for the end")
            for each in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(each, stop.set)
            tasks = (leading, relisting, looking, watching, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # The lease is given back before the watches end: a standby goes on at once.
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
