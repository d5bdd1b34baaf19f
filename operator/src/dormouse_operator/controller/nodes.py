"""Which nodes are lost? Those whose kubelet stopped renewing its Lease, by our own clock, while others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dormouse_operator.controller.api_server import ApiError, ApiServer, Refused
from dormouse_operator.controller.resources import LEASES, NODE_LEASES, PODS, Document
from dormouse_operator.controller.world import World

_LOOK_SECONDS = 3.0
_REFUSED_SECONDS = 60.0
_SILENT_SECONDS = 15.0
"""A kubelet renews every ten seconds; longer than this is worth a look."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Renewal:
    """What a node's Lease said, and since when, on the own monotonic clock, it has said nothing new."""

    told: str
    since: float


@dataclass(frozen=True)
class Nodes:
    """What was seen of all nodes, last at `looked_at`. A node without a Lease is the pod collector's business."""

    looked_at: float = float("-inf")
    renewals: Mapping[str, Renewal] = field(default_factory=dict)

    def look(self, leases: Iterable[Document], now: float) -> Nodes:
        """The Leases were listed again."""
        renewals = {}
        for lease in leases:
            name = str(lease["metadata"]["name"])
            told = f"{lease['metadata'].get('uid')} {(lease.get('spec') or {}).get('renewTime')}"
            known = self.renewals.get(name)
            renewals[name] = known if known is not None and known.told == told else Renewal(told, now)
        return Nodes(now, renewals)

    def silent(self, now: float, seconds: float) -> frozenset[str]:
        """The nodes that said nothing for that long, unless it may be we who do not hear."""
        if now - self.looked_at > _SILENT_SECONDS:
            return frozenset()
        silent = {name for name, renewal in self.renewals.items() if now - renewal.since >= seconds}
        is_heard = any(now - renewal.since < _SILENT_SECONDS for renewal in self.renewals.values())
        # When nobody renews it is the API server, not all the nodes at once.
        return frozenset(silent) if is_heard else frozenset()


class NodeWatch:
    """Lists the Leases every few seconds, in the standby too: whoever takes over knows already."""

    def __init__(self, api: ApiServer, world: World) -> None:
        """Nothing is lost before the first look."""
        self._api = api
        self._world = world
        self._nodes = Nodes()

    def lost(self, seconds: float) -> frozenset[str]:
        """The nodes that are lost for somebody who waits that long."""
        return self._nodes.silent(_clock(), seconds)

    async def run(self) -> None:
        """Until cancelled; wakes the workflows whose pods may be lost."""
        while True:
            try:
                await self._look()
                pause = _LOOK_SECONDS
            except ApiError as failed:
                log.warning("the nodes' Leases could not be listed, so no node can be found lost: %s", failed)
                pause = _REFUSED_SECONDS if isinstance(failed, Refused) else _LOOK_SECONDS
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        leases, _ = await self._api.list(LEASES, NODE_LEASES)
        before = self._nodes.silent(_clock(), _SILENT_SECONDS)
        self._nodes = self._nodes.look(leases, _clock())
        concerned = before | self._nodes.silent(_clock(), _SILENT_SECONDS)
        for pod in self._world.pods if concerned else ():
            if (pod.get("spec") or {}).get("nodeName") in concerned:
                self._world.wake(PODS, pod)


def _clock() -> float:
    return asyncio.get_running_loop().time()
