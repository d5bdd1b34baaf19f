"""What did the watches miss? kopf tells no deletion that happened before one of its lists; a list of ours does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable

from dormouse_operator.controller.api_server import PAGE, ApiError, ApiServer, NotFound, Version
from dormouse_operator.controller.resources import PODS, STORES, WORKFLOWS, Document, Key, Resource
from dormouse_operator.controller.world import World
from dormouse_operator.plan import MANAGED_BY_LABEL

WATCHED = (WORKFLOWS, STORES, PODS)
OUR_PODS = f"{MANAGED_BY_LABEL}=dormouse"
_SETTLE_SECONDS = 1.0
"""A list comes as many events; and a watch that just began has its list behind it by then."""

log = logging.getLogger(__name__)


Compare = Callable[[ApiServer, World, Resource, str | None, str], Awaitable[None]]


async def relist(api: ApiServer, world: World, namespaces: tuple[str, ...], resource: Resource) -> tuple[ApiError, ...]:
    """Read one kind as a whole; what failed, for a namespace each: the others are read all the same."""
    return await _each(compare, api, world, namespaces, resource)


async def catch_up(
    api: ApiServer, world: World, namespaces: tuple[str, ...], resource: Resource
) -> tuple[ApiError, ...]:
    """As `relist`, of a kind that is known but for what the watches missed: a hundredth of the work."""
    return await _each(compare_versions, api, world, namespaces, resource)


async def _each(
    compared: Compare, api: ApiServer, world: World, namespaces: tuple[str, ...], resource: Resource
) -> tuple[ApiError, ...]:
    selector = OUR_PODS if resource is PODS else ""
    failures: list[ApiError] = []
    for namespace in namespaces or (None,):
        try:
            await compared(api, world, resource, namespace, selector)
        except ApiError as failed:
            failures.append(failed)
    return tuple(failures)


async def compare(
    api: ApiServer,
    world: World,
    resource: Resource,
    namespace: str | None,
    labels: str = "",
    among: Callable[[], Iterable[Key]] | None = None,
) -> None:
    """Take over what the API server lists in a namespace, or in all. What else is known there is gone.

    Args:
        among: of what is known, what such a list has; by itself all.

    Raises:
        ApiError: what was listed until then is known, and nothing is gone.
    """
    present: list[str] = []

    def see(document: Document) -> None:
        present.append(str(document["metadata"].get("uid", "")))
        world.put(resource, document)

    version = await api.list_to(see, resource, namespace, labels)
    world.compare(resource, present, version, world.keys(resource, namespace) if among is None else among())


async def compare_versions(
    api: ApiServer, world: World, resource: Resource, namespace: str | None, labels: str = ""
) -> None:
    """As `compare` with all that is known, but only what is not known in its version is read as a whole.

    Raises:
        ApiError: as there.
    """
    present: list[str] = []
    missed: list[Version] = []

    def see(listed: Version) -> None:
        present.append(listed.uid)
        if world.lacks(resource, listed):
            missed.append(listed)

    version = await api.list_versions(see, resource, namespace, labels)
    if len(missed) > PAGE:  # a few lists, then, instead of a request for each
        await compare(api, world, resource, namespace, labels)
        return
    world.compare(resource, present, version, world.keys(resource, namespace))
    for each in missed:
        if world.lacks(resource, each):  # most of the time a watch was a little late, and has told it meanwhile
            with contextlib.suppress(NotFound):  # gone by now: the next list says so, if no watch does
                world.put(resource, await api.get(resource, each.namespace, each.name))


class Relister:
    """Lists once when the watches have begun, after a list of theirs, and now and then."""

    def __init__(self, api: ApiServer, world: World, namespaces: tuple[str, ...], every_seconds: float) -> None:
        """Nothing is listed before `run`."""
        self._api = api
        self._world = world
        self._namespaces = namespaces
        self._every_seconds = every_seconds
        self._due: set[Resource] = set(WATCHED)
        self._hinted = asyncio.Event()
        self._hinted.set()

    def hint(self) -> None:
        """A watch had to list its kind anew: what went meanwhile it does not tell.

        Of another kind nothing may be left, and of an empty list nobody tells.
        """
        self._due.update(WATCHED)
        self._hinted.set()

    async def run(self) -> None:
        """Until cancelled; a list that fails is tried again with the next round."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_seconds):
                    await self._hinted.wait()
            await asyncio.sleep(min(_SETTLE_SECONDS, self._every_seconds))
            due = self._due if self._hinted.is_set() else set(WATCHED)
            self._due = set()
            self._hinted.clear()
            for resource in due:
                for failed in await catch_up(self._api, self._world, self._namespaces, resource):
                    self._due.add(resource)
                    log.warning("the %s could not be listed: %s", resource.plural, failed)
