"""Which nodes are lost? Those whose kubelet stopped renewing its Lease, by our own clock, while others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dormouse_operator.api import Failover
from dormouse_operator.controller.api_server import ApiError, ApiServer, Refused
from dormouse_operator.controller.resources import LEASES, NODE_LEASES, PODS, Document
from dormouse_operator.controller.world import World
from dormouse_operator.plan import keeps_off

_LOOK_SECONDS = 3.0
_REFUSED_SECONDS = 60.0
_SILENT_SECONDS = 15.0
"""A kubelet renews every ten seconds; longer than this is worth a look."""
_DEAF_SECONDS = 20.0
"""When nobody at all was heard for so long, nobody could renew. On a busy machine one of two nodes may take 15."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Renewal:
    """What a node's Lease said, and since when, on the own monotonic clock, it was heard to say nothing new."""

    told: str
    since: float


@dataclass(frozen=True)
class Nodes:
    """What was seen of all nodes, last at `looked_at`; one of them was last heard at `heard_at`.

    A node without a Lease is the pod collector's business.
    """

    looked_at: float = float("-inf")
    heard_at: float = float("-inf")
    renewals: Mapping[str, Renewal] = field(default_factory=dict)

    def look(self, leases: Iterable[Document], now: float, *, has_missed: bool = False) -> Nodes:
        """The Leases were listed again; `has_missed` says that they could not be, since the last time.

        After an outage of the API server kubelets come back to it one after the other: each has its whole time again.
        """
        was_deaf = has_missed or now - self.heard_at > _DEAF_SECONDS
        heard_at, renewals = self.heard_at, {}
        for lease in leases:
            name = str(lease["metadata"]["name"])
            told = f"{lease['metadata'].get('uid')} {(lease.get('spec') or {}).get('renewTime')}"
            known = self.renewals.get(name)
            if known is None or known.told != told:
                heard_at = now
            elif not was_deaf:
                renewals[name] = known
                continue
            renewals[name] = Renewal(told, now)
        return Nodes(now, heard_at, renewals)

    def silent(self, now: float, seconds: float) -> frozenset[str]:
        """The nodes that said nothing for that long, unless it may be we who do not hear."""
        if now - self.heard_at >= _SILENT_SECONDS:
            return frozenset()  # when nobody renews it is the API server, not all the nodes at once
        return frozenset(name for name, renewal in self.renewals.items() if now - renewal.since >= seconds)


@dataclass(frozen=True)
class Concerned:
    """A pod, and the lost nodes that it is on, or keeps off until it has one of its own."""

    pod: Document
    nodes: frozenset[str]


class NodeWatch:
    """Lists the Leases every few seconds, in the standby too: whoever takes over knows already.

    It wakes a workflow when one of its pods becomes lost, and when it is no longer: a node that stays away for hours
    has many pods. One that finds no place is woken when a node is back that it keeps off.
    """

    def __init__(self, api: ApiServer, world: World) -> None:
        """Nothing is lost before the first look."""
        self._api = api
        self._world = world
        self._nodes = Nodes()
        self._has_missed = False
        self._concerned: dict[str, Concerned] = {}

    def lost(self, seconds: float) -> frozenset[str]:
        """The nodes that are lost for somebody who waits that long, as it was at the last look: it woke who asks."""
        seen = self._nodes
        return frozenset() if self._is_old() else seen.silent(seen.looked_at, seconds)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                pause = _LOOK_SECONDS
            except ApiError as failed:
                self._has_missed = True
                log.warning("the nodes' Leases could not be listed, so no node can be found lost: %s", failed)
                pause = _REFUSED_SECONDS if isinstance(failed, Refused) else _LOOK_SECONDS
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Once. Raises ApiError."""
        leases, _ = await self._api.list(LEASES, NODE_LEASES)
        # Who asked meanwhile was told that nobody is lost.
        was_old, before = self._is_old(), self._concerned
        self._nodes = self._nodes.look(leases, _clock(), has_missed=self._has_missed)
        self._has_missed = False
        self._concerned = self._concerned_pods()
        for uid in before.keys() | self._concerned.keys():
            was, now = before.get(uid), self._concerned.get(uid)
            if was_old or was is None or now is None or was.nodes != now.nodes:
                self._world.wake(PODS, (was or self._concerned[uid]).pod)

    def _concerned_pods(self) -> dict[str, Concerned]:
        """By their UIDs; each workflow has a patience of its own."""
        silent = self.lost(_SILENT_SECONDS)
        pods = [pod for pod in self._world.pods if _nodes_of(pod) & silent] if silent else []
        found = (Concerned(pod, _nodes_of(pod) & self.lost(self._patience(pod))) for pod in pods)
        return {each.pod["metadata"]["uid"]: each for each in found if each.nodes}

    def _patience(self, pod: Document) -> float:
        workflows = (self._world.workflows.get(task.key) for task in self._world.concerned(PODS, pod))
        workflow = next(workflows, None)
        failover = (workflow or {}).get("spec", {}).get("failover") or {}
        return float(failover.get("nodeLostSeconds") or Failover().node_lost_seconds)

    def _is_old(self) -> bool:
        return _clock() - self._nodes.looked_at > _SILENT_SECONDS


def _nodes_of(pod: Document) -> frozenset[str]:
    node = (pod.get("spec") or {}).get("nodeName")
    return frozenset({node}) if node else keeps_off(pod["metadata"])


def _clock() -> float:
    return asyncio.get_running_loop().time()
