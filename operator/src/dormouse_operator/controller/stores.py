"""What is done for an ObjectStore? It is tried out, and held while DurableWorkflows have data there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dormouse.replica.requests import Requests
from dormouse.replica.store import StoreError, StoreUnknown
from dormouse_operator.api import InvalidManifest, ObjectStore, Verdict
from dormouse_operator.controller.credentials import CredentialReader, Credentials
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.resources import Document, Key, key_of
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.controller.store_status import StoreStatuses, read_store
from dormouse_operator.controller.world import World
from dormouse_operator.plan import EmitEvent
from dormouse_operator.store.bucket_settings import settings_verdict
from dormouse_operator.store.location import location_of, open_store
from dormouse_operator.store.probe import Probe, probe, unavailable
from dormouse_operator.store.session_probe import probe_sessions

log = logging.getLogger(__name__)

PROVEN_SECONDS = 3600.0
"""A probe costs some eighty requests; a store that was proven is asked again this seldom."""
_ASK_AGAIN_SECONDS = 15.0
_PROBING_SECONDS = 30.0

ProbeStore = Callable[[ObjectStore, Credentials, Requests], Awaitable[Probe]]
BucketSettings = Callable[[ObjectStore, Credentials], Awaitable[Verdict]]


async def probe_store(store: ObjectStore, credentials: Credentials, requests: Requests) -> Probe:
    """Race for an object in the store; `requests` counts."""
    missing = _missing(store, credentials)
    if missing is not None:
        return missing
    secret, sts = credentials.secret or {}, store.spec.credentials.sts
    try:
        opened = open_store(store, secret, credentials.ca_bundle, requests)
    except StoreError as failed:
        return unavailable("InvalidSettings", str(failed))
    found = await probe(opened, store.spec.prefix)
    if sts is None or found.available.status != "True":
        return found
    return replace(found, available=await probe_sessions(store, sts, secret, credentials.ca_bundle))


async def bucket_settings(store: ObjectStore, credentials: Credentials) -> Verdict:
    """What the bucket does by itself, of a store that answers. Raises StoreError when a key cannot be one."""
    location = location_of(store, credentials.secret or {}, credentials.ca_bundle)
    return await settings_verdict(location, store.spec.prefix)


def _missing(store: ObjectStore, credentials: Credentials) -> Probe | None:
    reference = store.spec.credentials.secret_ref
    keys = credentials.keys
    if keys is None:
        return unavailable("SecretNotFound", f"there is no Secret `{reference.name}` in this namespace; create it")
    for key in (reference.access_key_id_key, reference.secret_access_key_key):
        if key not in keys:
            return unavailable("SecretKeyMissing", f"Secret `{reference.name}` has no key `{key}`; add it")
    return None


def judgement(store: ObjectStore, found: Probe) -> dict[str, Verdict]:
    """The conditions. A store that was proven stays so while it cannot be asked: its place cannot be changed."""
    conditional = found.conditional
    known = store.status.condition("ConditionalWrites")
    if conditional.status == "Unknown" and known is not None and known.status != "Unknown":
        conditional = Verdict(known.status, known.reason, known.message)
    return {"Available": found.available, "ConditionalWrites": conditional}


@dataclass(frozen=True)
class _Probed:
    what: tuple[str, int, str]
    until: float


class StoreKeeper:
    """Holds each ObjectStore while it is in use, and probes it when it or its Secret changed, and now and then."""

    def __init__(
        self,
        world: World,
        credentials: CredentialReader,
        events: EventTeller,
        statuses: StoreStatuses,
        holder: StoreHolder,
        lanes: StoreLanes,
        probe_store: ProbeStore = probe_store,
        bucket_settings: BucketSettings = bucket_settings,
    ) -> None:
        """`probe_store` and `bucket_settings` ask the real store unless a test says otherwise."""
        self._world = world
        self._credentials = credentials
        self._events = events
        self._probe = probe_store
        self._bucket_settings = bucket_settings
        self._statuses = statuses
        self._holder = holder
        self._lanes = lanes
        self._probed: dict[Key, _Probed] = {}
        self._looked: dict[Key, _Probed] = {}
        """As `_probed`, at the settings of its bucket."""

    async def step(self, key: Key) -> float | None:
        """Do what is due; after how many seconds to come back. Raises ApiError."""
        document = self._world.stores.get(key)
        if document is None:
            self._probed.pop(key, None)
            self._looked.pop(key, None)
            self._lanes.forget(key)
            await self._holder.lost(key)
            return None
        try:
            store = read_store(document)
        except InvalidManifest as invalid:
            await self._events.tell(document, EmitEvent("Warning", "InvalidManifest", str(invalid)))
            return None
        credentials = await self._credentials.read(store)
        await self._holder.look_after(document, store, credentials)
        newest = self._world.stores.get(key)
        if newest is None:
            return None
        if not newest["metadata"].get("deletionTimestamp"):  # nobody new will trust it
            await self._prove(newest, read_store(newest), credentials)
            newest = self._world.stores.get(key) or newest
            await self._look_at_bucket(newest, read_store(newest), credentials)
        return _ASK_AGAIN_SECONDS  # what it names may have changed

    async def _prove(self, document: Document, store: ObjectStore, credentials: Credentials) -> None:
        key = key_of(document)
        what = (store.metadata.uid, store.metadata.generation, credentials.version)
        now = asyncio.get_running_loop().time()
        probed = self._probed.get(key)
        if probed is not None and probed.what == what and now < probed.until:
            return
        found = await self._ask(store, credentials)
        is_proven = found.available.status == "True"
        is_news = await self._statuses.judge(document, store, judgement(store, found)) is not None
        # Only what was written counts as known: after a Conflict the store is asked again.
        self._probed[key] = _Probed(what, now + (PROVEN_SECONDS if is_proven else _ASK_AGAIN_SECONDS))
        if is_news:
            for verdict, name in ((found.available, "Unavailable"), (found.conditional, "Refused")):
                if verdict.status == "False":
                    await self._events.tell(document, EmitEvent("Warning", name, verdict.message))

    async def _look_at_bucket(self, document: Document, store: ObjectStore, credentials: Credentials) -> None:
        """Of a store that answers; nobody waits for it, and a warning keeps no workflow from starting."""
        key, available = key_of(document), store.status.condition("Available")
        what = (store.metadata.uid, store.metadata.generation, credentials.version)
        now = asyncio.get_running_loop().time()
        looked = self._looked.get(key)
        if (
            available is None
            or available.status != "True"
            or (looked is not None and looked.what == what and now < looked.until)
        ):
            return
        try:
            async with self._lanes.turn(store, "settings", _PROBING_SECONDS):
                found = await self._bucket_settings(store, credentials)
        except StoreError as failed:
            log.info("store %s: its bucket's settings are not known: %s", "/".join(key), failed)
            return
        is_news = await self._statuses.judge(document, store, {"BucketSettings": found}) is not None
        self._looked[key] = _Probed(what, now + PROVEN_SECONDS)
        if is_news and found.status == "False":
            await self._events.tell(document, EmitEvent("Warning", "BucketWarning", found.message))

    async def _ask(self, store: ObjectStore, credentials: Credentials) -> Probe:
        try:
            async with self._lanes.turn(store, "probe", _PROBING_SECONDS) as lane:
                return await self._probe(store, credentials, lane.requests)
        except StoreUnknown as late:
            return unavailable("StoreUnknown", str(late))
