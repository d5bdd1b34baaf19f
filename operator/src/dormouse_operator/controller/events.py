"""How are Events told? One object for each thing said about an object; saying it again counts it up."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from datetime import UTC, datetime

from dormouse_operator.controller.api_server import ApiError, ApiServer, Conflict, NamespaceEnds, NotFound
from dormouse_operator.controller.resources import EVENTS, Document
from dormouse_operator.plan import EmitEvent

_REMEMBERED = 4096
_LONGEST_MESSAGE = 1024
_LONGEST_NAME = 236

log = logging.getLogger(__name__)


def event_document(about: Document, told: EmitEvent, instance: str, now: str) -> Document:
    """The Event of a first time; its name is made from what is said, so that another operator finds it too."""
    metadata = about["metadata"]
    said = "\0".join((metadata["uid"], told.type, told.reason, told.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:_LONGEST_NAME]}.{digest}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": told.type,
        "reason": told.reason,
        "message": told.message[:_LONGEST_MESSAGE],
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": "dormouse-operator"},
        "reportingComponent": "dormouse.dev/operator",
        "reportingInstance": instance,
    }


class EventTeller:
    """An Event that cannot be told is logged: no step fails for it."""

    def __init__(self, api: ApiServer, instance: str) -> None:
        """`instance` is this operator's own name."""
        self._api = api
        self._instance = instance
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def tell(self, about: Document, told: EmitEvent) -> None:
        """Say it, or count it up."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        document = event_document(about, told, self._instance, now)
        key = (document["metadata"]["namespace"], document["metadata"]["name"])
        try:
            count = await self._say(document, key, now)
        except NamespaceEnds as ends:
            log.debug("event %s for %s: %s", told.reason, "/".join(key), ends)
            return
        except ApiError as failed:
            log.warning("event %s for %s was not told: %s", told.reason, "/".join(key), failed)
            return
        self._counts[key] = count
        self._counts.move_to_end(key)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)

    async def _say(self, document: Document, key: tuple[str, str], now: str) -> int:
        known = self._counts.get(key)
        if known is None:
            try:
                await self._api.create(EVENTS, document)
            except Conflict:
                known = int((await self._api.get(EVENTS, *key)).get("count") or 1)
            else:
                return 1
        try:
            await self._api.merge(EVENTS, *key, {"count": known + 1, "lastTimestamp": now})
        except NotFound:  # it expired meanwhile
            await self._api.create(EVENTS, document)
            return 1
        return known + 1
