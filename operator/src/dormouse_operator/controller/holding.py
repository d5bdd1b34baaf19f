"""How are a store and what it names kept from being deleted while DurableWorkflows have data there?

The store is held first and let go of last, and its status records what else may be held: whoever comes after an
operator that died half way finds everything there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice

from msgspec.structs import replace

from dormouse_operator.api import HeldObject, InvalidManifest, ObjectStore, Verdict
from dormouse_operator.controller.api_server import ApiServer, NotFound, Refused
from dormouse_operator.controller.credentials import CredentialReader, Credentials
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.finalizing import is_gone, set_finalizer
from dormouse_operator.controller.relisting import compare
from dormouse_operator.controller.resources import (
    CONFIG_MAPS,
    SECRETS,
    STORES,
    WORKFLOWS,
    Document,
    Key,
    key_of,
)
from dormouse_operator.controller.store_status import StoreStatuses, read_store
from dormouse_operator.controller.world import World, store_of
from dormouse_operator.plan import IN_USE_FINALIZER, EmitEvent, holding

_RESOURCES = {"Secret": SECRETS, "ConfigMap": CONFIG_MAPS}

log = logging.getLogger(__name__)


class StoreHolder:
    """Holds and lets go; one store at a time, since several may name the same Secret."""

    def __init__(
        self,
        api: ApiServer,
        world: World,
        credentials: CredentialReader,
        statuses: StoreStatuses,
        events: EventTeller,
    ) -> None:
        """`credentials` is told what was changed."""
        self._api = api
        self._world = world
        self._credentials = credentials
        self._statuses = statuses
        self._events = events
        self._told: set[str] = set()
        self._left: dict[str, Key] = {}
        """Those that have no data any more, by UID, as long as they may be in the cache."""
        self._held: dict[Key, ObjectStore] = {}
        """As each was when it was held: who takes its finalizer away takes its own record of what it holds."""
        self._lock = asyncio.Lock()

    async def look_after(self, document: Document, store: ObjectStore, credentials: Credentials) -> None:
        """Hold or let go, whichever is due; most of the time nothing is. Raises ApiError."""
        async with self._lock:
            if names := self._users(store):
                await self._hold(document, store, credentials, names)
                await self._replace(key_of(document))
            elif holding.is_held(document) or store.status.holds:
                await self._let_go(document, store)

    async def leave(self, workflow: Document) -> None:
        """This one has no data any more: the last to say so lets go of the store. Raises ApiError.

        Before the workflow goes: once all are gone nobody may be there any more to let go of it.
        """
        self._forget_gone()
        self._left[str(workflow["metadata"]["uid"])] = key_of(workflow)
        async with self._lock:
            document = self._world.stores.get(store_of(workflow))
            if document is None:
                await self._let_go_of_lost(store_of(workflow))
                return
            if not holding.is_held(document):
                return
            try:
                store = read_store(document)
            except InvalidManifest as invalid:
                log.warning("what cannot be read is not let go: %s", invalid)
                return
            if not self._users(store):
                await self._let_go(document, store)

    async def lost(self, key: Key) -> None:
        """There is no such store any more. If it was held, it went by force, and what it held stays for its workflows.

        Raises:
            ApiError: it is to be told again.
        """
        async with self._lock:
            await self._let_go_of_lost(key)

    def _users(self, store: ObjectStore) -> tuple[str, ...]:
        named = self._world.workflows_of((store.metadata.namespace, store.metadata.name))
        return holding.users(store, (each for each in named if each["metadata"]["uid"] not in self._left))

    def _forget_gone(self) -> None:
        """Two are looked at for each that leaves: so none is remembered for good, and thousands leave one by one."""
        for uid in tuple(islice(self._left, 2)):
            key = self._left.pop(uid)
            known = self._world.workflows.get(key)
            if known is not None and known["metadata"]["uid"] == uid:
                self._left[uid] = key

    async def _hold(
        self, document: Document, store: ObjectStore, credentials: Credentials, names: tuple[str, ...]
    ) -> None:
        try:
            document = await self._mark_store(document)
            if not holding.is_held(document):
                return  # it is being deleted already
            document, store = await self._record(document, store, holding.recorded(store))
            absent = [each for each in holding.named(store) if not await self._hold_named(store, each, credentials)]
        except Refused as refused:
            log.warning("%s cannot be held: %s", "/".join(key_of(document)), refused)
            said = Verdict("Unknown", "CannotBeHeld", f"the finalizer {IN_USE_FINALIZER} is refused: {refused}")
            await self._statuses.judge(document, store, {"InUse": said})
            return
        for each in (spare := holding.superfluous(store, self._others(store), is_used=True)):
            await self._release(store, each)
        document, store = await self._record(document, store, _without(store.status.holds, spare))
        await self._tell(document, store, holding.usage(store, names, tuple(absent)))
        for held in credentials.documents.values():
            await self._tell_named(held, names)

    async def _tell(self, document: Document, store: ObjectStore, found: Verdict) -> None:
        is_news = await self._statuses.judge(document, store, {"InUse": found}) is not None
        if is_news and found.reason == "DeletionWaits":
            await self._events.tell(document, EmitEvent("Warning", found.reason, found.message))

    async def _tell_named(self, held: Document, names: tuple[str, ...]) -> None:
        """Who deleted it sees only that it does not go."""
        metadata = held["metadata"]
        if metadata.get("deletionTimestamp") and metadata["uid"] not in self._told:
            self._told.add(metadata["uid"])
            await self._events.tell(held, EmitEvent("Warning", "DeletionWaits", holding.waiting(names)))

    async def _let_go(self, document: Document, store: ObjectStore) -> None:
        await self._list_workflows(store.metadata.namespace)
        if self._users(store):
            return
        saved = await self._statuses.judge(document, store, {"InUse": holding.usage(store, ())})
        document = saved or document
        for each in holding.superfluous(store, self._others(store), is_used=False):
            await self._release(store, each)
        document, _ = await self._record(document, read_store(document), ())
        made = await set_finalizer(self._api, STORES, document, IN_USE_FINALIZER, is_held=False)
        self._held.pop(key_of(document), None)
        if is_gone(made):
            self._world.drop(STORES, made)
        else:
            self._world.put(STORES, made)

    async def _replace(self, key: Key) -> None:
        """Another one of this name has come by force: what the first one held and this one does not name goes."""
        document, before = self._world.stores.get(key), self._held.get(key)
        if document is None or not holding.is_held(document):
            return
        store = read_store(document)
        if before is not None and before.metadata.uid != store.metadata.uid:
            for each in holding.superfluous(before, (store, *self._others(store)), is_used=False):
                await self._release(store, each)
        self._held[key] = store

    async def _let_go_of_lost(self, key: Key) -> None:
        store = self._held.get(key)
        if store is None:
            return
        await self._list_workflows(store.metadata.namespace)
        gone = replace(store, metadata=replace(store.metadata, deletion_timestamp="by force"))
        if self._users(gone):
            return
        for each in holding.superfluous(store, self._others(store), is_used=False):
            await self._release(store, each)
        del self._held[key]

    async def _list_workflows(self, namespace: str) -> None:
        """That the cache lacks a workflow is no evidence."""
        await compare(self._api, self._world, WORKFLOWS, namespace)

    async def _mark_store(self, document: Document) -> Document:
        if holding.is_held(document) or document["metadata"].get("deletionTimestamp"):
            return document
        made = await set_finalizer(self._api, STORES, document, IN_USE_FINALIZER, is_held=True)
        self._world.put(STORES, made)
        return made

    async def _record(
        self, document: Document, store: ObjectStore, holds: tuple[HeldObject, ...]
    ) -> tuple[Document, ObjectStore]:
        if holds == store.status.holds:
            return document, store
        saved = await self._statuses.save(document, replace(store.status, holds=holds))
        document = saved or document
        return document, read_store(document)

    async def _hold_named(self, store: ObjectStore, held: HeldObject, credentials: Credentials) -> bool:
        """Whether it is there and held."""
        known = credentials.documents.get(held.kind)
        if known is not None and holding.is_held(known):
            return True
        resource, key = _RESOURCES[held.kind], (store.metadata.namespace, held.name)
        try:
            found = await self._api.get(resource, *key)
        except NotFound:
            return False
        if found["metadata"].get("deletionTimestamp") and not holding.is_held(found):
            return False
        made = await set_finalizer(self._api, resource, found, IN_USE_FINALIZER, is_held=True)
        self._credentials.keep(resource, key, made)
        return True

    async def _release(self, store: ObjectStore, held: HeldObject) -> None:
        resource, key = _RESOURCES[held.kind], (store.metadata.namespace, held.name)
        try:
            found = await self._api.get(resource, *key)
            made = await set_finalizer(self._api, resource, found, IN_USE_FINALIZER, is_held=False)
        except NotFound:
            return
        self._told.discard(made["metadata"]["uid"])
        self._credentials.keep(resource, key, None if is_gone(made) else made)

    def _others(self, store: ObjectStore) -> Iterable[ObjectStore]:
        for document in self._world.stores.group(store.metadata.namespace):
            if document["metadata"]["name"] != store.metadata.name:
                try:
                    yield read_store(document)
                except InvalidManifest as invalid:
                    log.warning("%s", invalid)


def _without(held: tuple[HeldObject, ...], spare: tuple[HeldObject, ...]) -> tuple[HeldObject, ...]:
    return tuple(each for each in held if each not in spare)
