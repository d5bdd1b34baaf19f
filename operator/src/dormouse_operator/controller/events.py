"""How are Events told? One object for each thing said about an object; saying it again counts it up."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from dormouse_operator.controller.api_server import ApiError, ApiServer, Conflict, NamespaceEnds, NotFound
from dormouse_operator.controller.resources import EVENTS, Document
from dormouse_operator.controller.tally import Tally
from dormouse_operator.plan import EmitEvent

_REMEMBERED = 4096
_LONGEST_MESSAGE = 1024
_LONGEST_NAME = 236
_AT_ONCE = 25
_ONE_MORE_SECONDS = 300.0
"""As client-go does: what an object has to tell at once, and how soon it may tell one more thing after that."""

log = logging.getLogger(__name__)


def event_document(about: Document, told: EmitEvent, instance: str, now: str) -> Document:
    """The Event of a first time; its name is made from what is said, so that another operator finds it too."""
    metadata = about["metadata"]
    said = "\0".join((metadata["uid"], told.type, told.reason, told.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    short = metadata["name"][:_LONGEST_NAME].rstrip("-.")  # a name in Kubernetes ends with neither, cut or not
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{short}.{digest}", "namespace": metadata["namespace"]},
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

    def __init__(
        self, api: ApiServer, instance: str, tally: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`instance` is this operator's own name."""
        self._api = api
        self._tally = tally
        self._instance = instance
        self._clock = clock
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def tell(self, about: Document, told: EmitEvent) -> None:
        """Say it, or count it up, unless this object has said too much lately."""
        if not self._may_tell(about["metadata"]["uid"]):
            log.debug("%s had too much to tell: %s: %s", about["metadata"]["name"], told.reason, told.message)
            self._tally.events["suppressed"] += 1
            return
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        document = event_document(about, told, self._instance, now)
        key = (document["metadata"]["namespace"], document["metadata"]["name"])
        try:
            count = await self._say(document, key, now)
        except NamespaceEnds as ends:
            log.debug("event %s for %s: %s", told.reason, "/".join(key), ends)
            self._tally.events["failed"] += 1
            return
        except ApiError as failed:
            log.warning("event %s for %s was not told: %s", told.reason, "/".join(key), failed)
            self._tally.events["failed"] += 1
            return
        self._tally.events["told" if count == 1 else "counted_up"] += 1
        self._counts[key] = count
        self._counts.move_to_end(key)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)

    def _may_tell(self, uid: str) -> bool:
        now = self._clock()
        left, since = self._budgets.get(uid, (float(_AT_ONCE), now))
        left = min(float(_AT_ONCE), left + (now - since) / _ONE_MORE_SECONDS)
        may_tell = left >= 1
        self._budgets[uid] = (left - 1 if may_tell else left, now)
        self._budgets.move_to_end(uid)
        if len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)
        return may_tell

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
