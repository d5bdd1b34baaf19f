"""How does whoever works in the pod come in, and how does it leave? Through the keeper's gate, and with a seal."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from dormouse.keeper.client import KeeperClient, KeeperError, Life
from dormouse.pod import Marker, PodSettings, boot_id, read_marker

T = TypeVar("T")
SHARE_OF_GRACE = 0.75
"""So much of it until the main container has ended; the keeper needs the rest for its own end."""


class ToldToStop(Exception):
    """Told to stop before the work began."""


class NotSealed(Exception):
    """The store does not answer, and there is no more time."""


async def enter(pod: PodSettings) -> tuple[KeeperClient, Life]:
    """Wait until the epoch is claimed and the database restored, and see that it is the one of this pod.

    Raises:
        KeeperError: AlreadySealed among them.
    """
    keeper = await KeeperClient.connect(pod.keeper_socket)
    life = await keeper.gate()
    mine = Marker(pod.pod_uid, pod.epoch, boot_id())
    found = read_marker(pod.marker)
    if found != mine or life.epoch != pod.epoch:
        raise KeeperError(
            f"the volume's marker is {found} and the gate's epoch {life.epoch}, but this is {mine}; "
            "it starts again until the keeper has put that right"
        )
    return keeper, life


async def unless_told(task: asyncio.Task[T], told_to_stop: asyncio.Event) -> T:
    """What the task gives, or ToldToStop when that comes first, or at the same time: nothing was begun yet."""
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
        raise ToldToStop
    given = task.result()
    if told_to_stop.is_set():
        raise ToldToStop
    return given


async def leave(sealing: asyncio.Task[str], keeper: KeeperClient, told_to_stop: asyncio.Event, seconds: float) -> str:
    """Wait for the seal; its position. A store that is down is waited for as long as nobody says stop, and then for
    so many seconds.

    Raises:
        KeeperError: when the keeper refuses, or has gone.
        NotSealed: when the time is over.
    """
    stopping = asyncio.create_task(told_to_stop.wait())
    ends: set[asyncio.Future[Any]] = {sealing, keeper.ended}
    await asyncio.wait({*ends, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not any(end.done() for end in ends):
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if sealing.done():
        return sealing.result()
    if keeper.ended.done():
        raise keeper.ended.result()
    raise NotSealed("the store does not answer: what no barrier covered yet is only on this volume")
