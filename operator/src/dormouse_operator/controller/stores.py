"""What is known about an ObjectStore? Whether it answers, and whether conditional writes can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import to_builtins

from dormouse_operator.api import Condition, InvalidManifest, ObjectStore, ObjectStoreStatus, parse
from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound
from dormouse_operator.controller.credentials import CredentialReader, Credentials
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.resources import STORES, Document, Key
from dormouse_operator.controller.saving import StatusWriter
from dormouse_operator.controller.world import World
from dormouse_operator.plan import EmitEvent
from dormouse_operator.store.location import open_store
from dormouse_operator.store.probe import Probe, Verdict, probe, unavailable

PROVEN_SECONDS = 3600.0
"""A probe costs 35 requests; a store that was proven is asked again this seldom."""
_ASK_AGAIN_SECONDS = 15.0
_MESSAGE_LENGTH = 1024

ProbeStore = Callable[[ObjectStore, Credentials], Awaitable[Probe]]


async def probe_store(store: ObjectStore, credentials: Credentials) -> Probe:
    """Race for an object in the store."""
    missing = _missing(store, credentials)
    if missing is not None:
        return missing
    try:
        opened = open_store(store, credentials.secret or {}, credentials.ca_bundle)
    except (OSError, ValueError) as failed:
        return unavailable("InvalidSettings", f"the store cannot be opened: {failed}")
    return await probe(opened, store.spec.prefix)


def _missing(store: ObjectStore, credentials: Credentials) -> Probe | None:
    reference = store.spec.credentials.secret_ref
    keys = credentials.keys
    if keys is None:
        return unavailable("SecretNotFound", f"there is no Secret `{reference.name}` in this namespace; create it")
    for key in (reference.access_key_id_key, reference.secret_access_key_key):
        if key not in keys:
            return unavailable("SecretKeyMissing", f"Secret `{reference.name}` has no key `{key}`; add it")
    return None


def next_status(store: ObjectStore, found: Probe, now: datetime) -> ObjectStoreStatus:
    """A store that was proven stays so while it cannot be asked: its place cannot be changed."""
    conditional = found.conditional
    known = store.status.condition("ConditionalWrites")
    if conditional.status == "Unknown" and known is not None and known.status != "Unknown":
        conditional = Verdict(known.status, known.reason, known.message)
    return ObjectStoreStatus(
        observed_generation=store.metadata.generation,
        conditions=(
            _condition(store, "Available", found.available, now),
            _condition(store, "ConditionalWrites", conditional, now),
        ),
    )


def _condition(store: ObjectStore, name: str, verdict: Verdict, now: datetime) -> Condition:
    known = store.status.condition(name)
    is_same = known is not None and known.status == verdict.status
    time = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Condition(
        type=name,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message[:_MESSAGE_LENGTH],
        last_transition_time=known.last_transition_time if known is not None and is_same else time,
        observed_generation=store.metadata.generation,
    )


@dataclass(frozen=True)
class _Proven:
    what: tuple[str, int, str]
    at: float


class StoreKeeper:
    """Probes each ObjectStore when it or its Secret changed, and now and then."""

    def __init__(
        self,
        api: ApiServer,
        world: World,
        credentials: CredentialReader,
        events: EventTeller,
        probe_store: ProbeStore = probe_store,
    ) -> None:
        """`probe_store` asks the real store unless a test says otherwise."""
        self._api = api
        self._world = world
        self._credentials = credentials
        self._events = events
        self._probe = probe_store
        self._statuses = StatusWriter(api, STORES)
        self._proven: dict[Key, _Proven] = {}

    async def step(self, key: Key) -> float | None:
        """Probe if it is time; after how many seconds to come back. Raises ApiError."""
        document = self._world.stores.get(key)
        if document is None:
            self._proven.pop(key, None)
            return None
        try:
            store = parse(document)
        except InvalidManifest as invalid:
            await self._events.tell(document, EmitEvent("Warning", "InvalidManifest", str(invalid)))
            return None
        assert isinstance(store, ObjectStore)  # noqa: S101 - the cache holds nothing else
        credentials = await self._credentials.read(store)
        what = (store.metadata.uid, store.metadata.generation, credentials.version)
        now = asyncio.get_running_loop().time()
        proven = self._proven.get(key)
        if proven is not None and proven.what == what and now - proven.at < PROVEN_SECONDS:
            return _ASK_AGAIN_SECONDS  # the Secret may have changed
        found = await self._probe(store, credentials)
        await self._tell(document, store, found)
        if found.available.status == "True":
            self._proven[key] = _Proven(what, now)
        else:
            self._proven.pop(key, None)
        return _ASK_AGAIN_SECONDS

    async def _tell(self, document: Document, store: ObjectStore, found: Probe) -> None:
        status = next_status(store, found, datetime.now(UTC))
        try:
            saved = await self._statuses.save(document, to_builtins(status))
        except Conflict:
            key = (store.metadata.namespace, store.metadata.name)
            self._world.put(STORES, await self._api.get(STORES, *key))
            raise
        except NotFound:
            self._world.drop(STORES, document)
            raise
        if saved is None:
            return
        self._world.put(STORES, saved)
        for verdict, name in ((found.available, "Unavailable"), (found.conditional, "Refused")):
            if verdict.status == "False":
                await self._events.tell(document, EmitEvent("Warning", name, verdict.message))
