"""How do changes in the cluster become tasks? kopf watches, and does nothing else for us."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import kopf
from kopf._cogs.structs.credentials import Vault  # what spawn_tasks takes, and exported from nowhere else
from kubernetes.aio.client import Configuration

from dormouse_operator.controller.api_server import PAGE
from dormouse_operator.controller.connection import connection_info
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.relisting import OUR_PODS, WATCHED
from dormouse_operator.controller.resources import Document, Resource
from dormouse_operator.controller.world import World

log = logging.getLogger(__name__)


async def watch(
    configuration: Configuration,
    options: Options,
    world: World,
    listed: Callable[[], None],
    goes_on: Callable[[bool], None],
) -> None:
    """Until cancelled; `goes_on` is told when they begin, and when they end.

    `listed` is told when a list came, and when the watches begin anew.

    kopf ends all of its watches when one of them meets what it does not know how to go on from: a 404 while the API
    server starts, an ERROR that is no 410, a token that is refused.
    """
    clock = asyncio.get_running_loop().time
    pauses = iter(_WithoutEnd())
    while True:
        began = clock()
        goes_on(True)
        try:
            await _watch_once(configuration, options, world, listed)
        except Exception:  # whatever it is, a new watch is the way on
            log.exception("the watches ended")
        else:
            log.error("the watches ended by themselves")
        finally:
            goes_on(False)
        if clock() - began > _LONGEST_PAUSE_SECONDS:
            pauses = iter(_WithoutEnd())
        await asyncio.sleep(next(pauses))
        listed()


async def _watch_once(configuration: Configuration, options: Options, world: World, listed: Callable[[], None]) -> None:
    """kopf has a thread and a loop of its own: at its end it cancels every task of its loop that it did not start."""
    loop = asyncio.get_running_loop()
    end = threading.Event()

    def see(resource: Resource, kind: str | None, document: Document) -> None:
        loop.call_soon_threadsafe(world.drop if kind == "DELETED" else world.put, resource, document)
        if kind is None:
            loop.call_soon_threadsafe(listed)

    async def run() -> None:
        before, vault = asyncio.all_tasks(), Vault()
        try:
            tasks = await kopf.spawn_tasks(
                vault=vault,
                registry=_registry(configuration, see),
                settings=watch_settings(),
                standalone=True,
                # kopf would ask who the user is, and in a container there may be no name for the number.
                identity=cast("Any", options.candidate.identity),
                clusterwide=not options.namespaces,
                namespaces=options.namespaces,
                stop_flag=end,
            )
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # kopf waits for it in a thread: it would give that 5 s, and asyncio waits for the thread without end.
            end.set()
            await _end(tasks, before)
        finally:
            end.set()  # when kopf could not begin, too
            # kopf closes its connections before its last tasks end, and these open new ones (seen with 1.45.2).
            await vault.close()

    thread = ThreadPoolExecutor(1, "kopf")
    watching = loop.run_in_executor(thread, lambda: asyncio.run(run()))
    try:
        await asyncio.shield(watching)
    finally:
        end.set()
        await asyncio.wait({watching})
        thread.shutdown(wait=False)


async def _end(kopfs: Collection[asyncio.Task[None]], ignored: set[asyncio.Task[Any]]) -> None:
    """Have kopf end, and raise what it ended for.

    When one watch fails, it cancels none of the others, and waits 5 s for them; and one that it does cancel may take
    that for the end of a request, and go on without end (both seen with 1.45.2).
    """
    ending = asyncio.create_task(kopf.run_tasks(kopfs, ignored=ignored))
    while not (await asyncio.wait({ending}, timeout=_CANCELS_AGAIN_AFTER_SECONDS))[0]:
        for task in asyncio.all_tasks() - ignored - {ending}:
            task.cancel()
    await ending


See = Callable[[Resource, str | None, Document], None]


def _registry(configuration: Configuration, see: See) -> kopf.OperatorRegistry:
    """Low-level handlers only: the high-level ones write annotations into every object."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await connection_info(configuration)

    def register(resource: Resource) -> None:
        @kopf.on.event(resource.group, resource.version, resource.plural, registry=made, id=resource.plural)
        async def changed(event: Mapping[str, Any], **_: Any) -> None:
            see(resource, event.get("type"), cast("Document", event["object"]))

    for each in WATCHED:
        register(each)
    return made


_PAUSES_SECONDS = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0)
_LONGEST_PAUSE_SECONDS = 13.0
_CANCELS_AGAIN_AFTER_SECONDS = 1.0


class _WithoutEnd(Iterable[float]):
    """When its pauses are used up, kopf gives one watch up for good, and neither ends nor tells us."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(_PAUSES_SECONDS, itertools.repeat(_LONGEST_PAUSE_SECONDS))


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf copies each object to compare it with what its other handlers have seen before: ours are no such handlers.

    These copies were a quarter of what the operator used of a core.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        raise NotImplementedError("nothing is written into objects")


def watch_settings() -> kopf.OperatorSettings:
    """No Events of kopf's own, no peering, no search for kinds that come and go: less to be allowed to do."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.label_selectors["", "v1", "pods"] = OUR_PODS
    # All at once, thousands of pods would be in memory as a whole.
    settings.watching.chunk_size = PAGE
    # A connection that died silently is noticed, and one that is alive is not kept for ever.
    settings.watching.server_timeout = 290
    settings.watching.inactivity_timeout = 120
    settings.persistence.diffbase_storage = _NoDiffs()
    # So long each object is held as a whole after its last event, 80 KiB of a pod: by itself all that a list brings.
    settings.queueing.idle_timeout = 0.2
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _WithoutEnd()
    settings.process.ultimate_exiting_timeout = None
    return settings
