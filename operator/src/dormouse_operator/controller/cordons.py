"""Which nodes are cordoned? Asked every few seconds, as long as a workflow wants to know."""

from __future__ import annotations

import asyncio
import logging

from dormouse_operator.controller.api_server import ApiError, ApiServer, Refused
from dormouse_operator.controller.resources import NODES
from dormouse_operator.controller.world import World

_LOOK_SECONDS = 3.0
_REFUSED_SECONDS = 30.0
_OLD_SECONDS = 60.0
"""What was seen before that counts no more: it may be we who do not hear."""

log = logging.getLogger(__name__)


class CordonWatch:
    """In the standby too: whoever takes over knows already. Whoever is concerned is woken when the answer changes."""

    def __init__(self, api: ApiServer, world: World) -> None:
        """Nothing is known before the first look."""
        self._api = api
        self._world = world
        self._cordoned: frozenset[str] | None = None
        self._looked_at = float("-inf")

    def cordoned(self) -> frozenset[str] | None:
        """None when it is not known: nobody asked yet, or the API server does not answer."""
        is_old = asyncio.get_running_loop().time() - self._looked_at > _OLD_SECONDS
        return None if is_old else self._cordoned

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = _LOOK_SECONDS
            try:
                await self.look()
            except ApiError as failed:
                log.warning("cordoned nodes could not be listed, so no workflow leaves one by itself: %s", failed)
                pause = _REFUSED_SECONDS if isinstance(failed, Refused) else _LOOK_SECONDS
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Once, if anybody wants to know. Raises ApiError."""
        if not self._world.wait_for_idle:
            self._cordoned = None
            return
        before = self.cordoned()
        try:
            nodes, _ = await self._api.list(NODES, None, fields="spec.unschedulable=true")
        except Refused:
            self._know(None, before)
            raise
        self._know(frozenset(str(node["metadata"]["name"]) for node in nodes), before)

    def _know(self, cordoned: frozenset[str] | None, before: frozenset[str] | None) -> None:
        self._cordoned, self._looked_at = cordoned, asyncio.get_running_loop().time()
        if cordoned != before:
            self._world.wake_those_that_wait_for_idle()
