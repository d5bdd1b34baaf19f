"""What does the status of an ObjectStore say, and how is it written?"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from dormouse_operator.api import Condition, ObjectStore, ObjectStoreStatus, Verdict, read
from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound
from dormouse_operator.controller.resources import STORES, Document, key_of
from dormouse_operator.controller.saving import StatusWriter
from dormouse_operator.controller.world import World

_MESSAGE_LENGTH = 1024


def read_store(document: Document) -> ObjectStore:
    """The document with its types. Raises InvalidManifest."""
    store = read(document)
    assert isinstance(store, ObjectStore)  # noqa: S101 - the cache of stores holds nothing else
    return store


def with_verdicts(store: ObjectStore, verdicts: dict[str, Verdict], now: datetime) -> ObjectStoreStatus:
    """The status with these conditions; the others stay."""
    known = {condition.type: condition for condition in store.status.conditions}
    known |= {name: _condition(store, name, verdict, now) for name, verdict in verdicts.items()}
    return replace(store.status, observed_generation=store.metadata.generation, conditions=tuple(known.values()))


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


class StoreStatuses:
    """Writes them, and tells the world."""

    def __init__(self, api: ApiServer, world: World) -> None:
        self._api = api
        self._world = world
        self._writer = StatusWriter(api, STORES)

    async def judge(self, document: Document, store: ObjectStore, verdicts: dict[str, Verdict]) -> Document | None:
        """Set conditions; as `save`."""
        return await self.save(document, with_verdicts(store, verdicts, datetime.now(UTC)))

    async def save(self, document: Document, status: ObjectStoreStatus) -> Document | None:
        """The document with the new status; None when there was nothing to write. Raises ApiError."""
        try:
            saved = await self._writer.save(document, status)
        except Conflict:
            self._world.put(STORES, await self._api.get(STORES, *key_of(document)))
            raise
        except NotFound:
            self._world.drop(STORES, document)
            raise
        if saved is not None:
            self._world.put(STORES, saved)
        return saved
