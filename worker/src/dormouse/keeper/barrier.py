"""When is a commit safe? The barrier: uploaded, then still ours, then acknowledged.

All that ask while a round runs share the next one, so a hundred waiting steps cost one upload and one read.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from dormouse.engine.tally import Durations
from dormouse.keeper.litestream import Litestream, NotSynced, Synced
from dormouse.keeper.looking import FirstLook
from dormouse.keeper.ownership import Ownership
from dormouse.keeper.proof import boot_seconds
from dormouse.replica.current import Position
from dormouse.replica.holding import replicated
from dormouse.replica.layout import first_transaction
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import Store, StoreDenied, StoreError

_log = logging.getLogger("dormouse.keeper")
_NOT_SYNCED_SECONDS = 0.04
_LONGEST_PAUSE_SECONDS = 1.0
_DENIED_SECONDS = 60.0
"""For how long the store may refuse the credentials before the keeper starts again, with a rotated Secret perhaps."""


@dataclass(frozen=True)
class Progress:
    """What the positions of one life may still do."""

    txid: int = 0

    def then(self, synced: Synced) -> Progress:
        """Check the next answer against what was seen before.

        Raises:
            Refused: when numbers alone would acknowledge what was never uploaded.
        """
        if synced.txid < self.txid or synced.replicated_txid > synced.txid:
            raise Refused(
                Reason.VOLUME_UNTRUSTED,
                f"positions do not add up: local {synced.txid} after {self.txid}, uploaded {synced.replicated_txid}; "
                "restoring in a new pod",
            )
        return Progress(synced.txid)


class Step(Enum):
    """What a barrier does next."""

    UPLOAD = auto()
    MARK = auto()
    CONFIRM = auto()
    ACKNOWLEDGE = auto()


def next_step(uploaded: bool, replicated: bool, confirmed: bool) -> Step:
    """The order that makes an acknowledgement safe.

    Args:
        uploaded: whether the position that was asked for was seen in the store.
        replicated: whether CURRENT says that this epoch can be restored.
        confirmed: whether CURRENT was read after all of that, and was ours.
    """
    if not uploaded:
        return Step.UPLOAD
    if not replicated:
        return Step.MARK
    return Step.ACKNOWLEDGE if confirmed else Step.CONFIRM


class Barriers:
    """The barriers of one life. `run` does the rounds; it ends only by raising."""

    def __init__(self, store: Store, ownership: Ownership, litestream: Litestream, prefix: str) -> None:
        self._store = store
        self._ownership = ownership
        self._litestream = litestream
        self._prefix = prefix
        self._progress = Progress()
        self._first_look = FirstLook()
        self._next: asyncio.Future[Position] | None = None
        self._asked = asyncio.Event()
        self._waiting_since: float | None = None
        self.last_position: Position | None = None
        self.uploaded_txid = 0
        self.trouble = ""
        self.took = Durations()
        """How long the rounds took that came to their end."""

    @property
    def seen_txid(self) -> int:
        """The newest local transaction that a sync has shown."""
        return self._progress.txid

    def overdue_seconds(self) -> float:
        """For how long the round under way has not succeeded; 0 when none is."""
        since = self._waiting_since
        return 0.0 if since is None else boot_seconds() - since

    async def wait(self) -> Position:
        """Return once all that was committed before this call is in the store and the epoch is still ours."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._asked.set()
        return await asyncio.shield(self._next)

    async def run(self) -> None:
        """Do rounds as they are asked for.

        Raises:
            Refused: when positions do not add up.
            NotOurs: when another life is current.
            StoreDenied: when the store has refused the credentials for a minute.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            future, self._next = self._next, None
            assert future is not None  # noqa: S101 - set before the event
            self._waiting_since = boot_seconds()
            try:
                position = await self._round()
            except BaseException:
                future.cancel()
                raise
            self.took.add(int(self.overdue_seconds() * 1e9))
            self._waiting_since = None
            self.trouble = ""
            self.last_position = position
            if not future.done():
                future.set_result(position)

    async def _round(self) -> Position:
        txid, uploaded, confirmed = 0, False, False
        pause = 0.05
        while True:
            try:
                match next_step(uploaded, self._ownership.current.entry.replicated, confirmed):
                    case Step.UPLOAD:
                        txid, uploaded = await self._uploaded(), True
                    case Step.MARK:
                        await self._mark_replicated()
                    case Step.CONFIRM:
                        await self._ownership.confirm()
                        confirmed = True
                    case Step.ACKNOWLEDGE:
                        return Position(self._ownership.current.epoch, txid)
            except StoreError as error:
                if isinstance(error, StoreDenied) and self.overdue_seconds() > _DENIED_SECONDS:
                    raise
                self.trouble = str(error)
                _log.warning("barrier: %s; trying again in %.2f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _uploaded(self) -> int:
        """The position that was asked for, once it is uploaded."""
        synced = await self._synced()
        target, pauses = synced.txid, self._first_look.later()
        if not _has(synced, target):
            await asyncio.sleep(self._first_look.seconds)
            synced = await self._synced()
            self._first_look.saw(_has(synced, target))
        while not _has(synced, target):
            await asyncio.sleep(next(pauses))
            synced = await self._synced()
            target = target or synced.txid
        return target

    async def _synced(self) -> Synced:
        """The next answer of Litestream's, which may not be able to give one for a while."""
        pause = _NOT_SYNCED_SECONDS
        while True:
            try:
                synced = await self._litestream.sync()
            except NotSynced as error:
                self.trouble = str(error)
                _log.log(logging.INFO if self._progress.txid else logging.DEBUG, "barrier: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                self._progress = self._progress.then(synced)
                self.uploaded_txid = synced.replicated_txid
                return synced

    async def _mark_replicated(self) -> None:
        """Record that this epoch can be restored, once that was seen, and whether it holds anything of its own yet."""
        key = first_transaction(self._prefix)
        if not await self._store.exists(key):
            raise StoreError(f"{key} is not there yet")
        # Asked after the upload: what nobody has committed by now is not in the first transaction.
        await self._ownership.update(partial(replicated, copies_base=self._litestream.is_as_restored()))


def _has(synced: Synced, txid: int) -> bool:
    """Whether the transaction is uploaded; before the first one Litestream says 0, which is none."""
    return 0 < txid <= synced.replicated_txid
