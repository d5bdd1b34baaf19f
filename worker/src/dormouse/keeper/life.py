"""What happens in one life, from claim to seal? Ties the parts of the keeper together."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dormouse.keeper.barrier import Barriers
from dormouse.keeper.beginning import Begun, begin, disk_full, volume_of
from dormouse.keeper.causes import cause_of
from dormouse.keeper.client import AlreadySealed, Fenced, NotDrilled, NotSafeYet, OwnershipUnproven, SealFailed
from dormouse.keeper.collecting import Collector
from dormouse.keeper.litestream import Litestream
from dormouse.keeper.ownership import NotOurs, Ownership, until_answered
from dormouse.keeper.proof import boot_seconds
from dormouse.keeper.settings import Settings
from dormouse.keeper.steps import Steps
from dormouse.replica.claim import Volume
from dormouse.replica.current import Current, Position, SealReason
from dormouse.replica.holding import sealed
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.requests import Requests
from dormouse.replica.store import HistoryStore, StoreError

if TYPE_CHECKING:
    from dormouse.keeper.report import RuntimeStatus

_log = logging.getLogger("dormouse.keeper")

FENCE_SECONDS = 5.0
"""How often CURRENT is read while nothing else reads it."""

_STALE_SECONDS = 10.0
_PROVEN_WITHIN_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Seen:
    """What can be told of a life that has begun; `trouble` is empty while the store keeps up."""

    position: str
    trouble: str
    overdue_seconds: float
    runtime_status: RuntimeStatus | None


class Life:
    """One life. `live` runs until it is refused, fenced or cancelled."""

    def __init__(self, settings: Settings, store: HistoryStore, requests: Requests) -> None:
        """`requests` counts those to the store."""
        self._settings = settings
        self._requests = requests
        self._store = store
        self._ownership = Ownership(store, settings.layout.current)
        self._begun: Begun | None = None
        self._litestream: Litestream | None = None
        self._litestream_is_done = False
        self._barriers: Barriers | None = None
        self._group: asyncio.TaskGroup | None = None
        self._gate = asyncio.Event()
        self._drilling = asyncio.Lock()
        self._untouched = False
        self._fenced: Fenced | None = None
        self._collecting: asyncio.Task[None] | None = None
        self._sealing: asyncio.Task[Position] | None = None
        self._seal_reason: SealReason | None = None
        self._proving = asyncio.Lock()
        self._runtime_status: RuntimeStatus | None = None
        self._steps = Steps()
        self.news = asyncio.Event()
        """Set whenever there may be something else to report."""
        self.pruned = asyncio.Event()
        """Set when old epochs left the lineage, before their objects go."""

    async def live(self) -> None:
        """Claim, restore, replicate and watch.

        Raises:
            Refused: the reason for the termination message; Fenced among them.
            StoreError: when the store refuses for good.
        """
        try:
            await self._live()
        except Exception as error:
            cause = cause_of(error)
            self._fenced = Fenced(str(cause))
            if isinstance(cause, NotOurs):
                raise Refused(Reason.FENCED, f"{cause}; this pod acknowledged nothing since") from error
            if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
                raise disk_full(self._settings.pod.directory) from error
            if cause is error:
                raise
            raise cause from error
        finally:
            if self._litestream is not None:
                self._litestream_is_done = True
                await self._litestream.kill()

    async def _live(self) -> None:
        settings = self._settings
        self._begun = await begin(settings, self._store, self._ownership, self._steps)
        if self._begun.over:
            self._gate.set()
            await asyncio.Event().wait()
        self._litestream = Litestream(
            settings.location,
            self._begun.prefix,
            settings.pod.database,
            settings.pod.directory / "run",
            settings.retention_seconds,
        )
        with self._steps.step("start litestream"):
            await self._litestream.start()
        # One read of CURRENT precedes the first write of a life, also after the restart of a keeper.
        with self._steps.step("read CURRENT"):
            await until_answered(self._ownership.confirm, "reading CURRENT")
        self._barriers = Barriers(self._store, self._ownership, self._litestream, self._begun.prefix)
        async with asyncio.TaskGroup() as self._group:
            self._group.create_task(self._keep_litestream(self._litestream))
            self._group.create_task(self._barriers.run())
            self._collecting = self._group.create_task(self._collect(self._barriers))
            self._group.create_task(self._watch())
            self._untouched = self._begun.fresh
            self._gate.set()
            _log.info("the gate is open")

    async def _collect(self, barriers: Barriers) -> None:
        await barriers.wait()  # the first barrier of this life: from here on it can be restored itself
        settings = self._settings
        await Collector(self._store, settings.layout, self._ownership, settings.retention_seconds, self.pruned).run()

    async def _keep_litestream(self, litestream: Litestream) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            code = await litestream.ended()
            if self._litestream_is_done:
                return
            _log.error("litestream ended with exit code %s; starting it again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await litestream.start()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(FENCE_SECONDS)
            try:
                await self._ownership.confirm()
            except StoreError as error:
                _log.warning("watching CURRENT: %s", error)
            except NotOurs:
                if self._is_sealed or (self._sealing is not None and self._ownership.sealed_by_us()):
                    return  # sealed, perhaps without having heard so: the next life may begin
                raise

    # What the service offers.

    async def opened(self) -> None:
        """Wait until the gate is open."""
        await self._gate.wait()

    async def gate(self) -> dict[str, Any]:
        """Wait until work may start; a life that seals itself never starts any."""
        await self._gate.wait()
        self._raise_if_fenced()
        if self._begun is not None and self._begun.over:
            current = self._ownership.current
            position = Position(current.epoch, current.entry.sealed_txid or 0)
            raise AlreadySealed(str(current.seal_reason), str(position))
        if self._sealing is not None:
            raise AlreadySealed(str(self._seal_reason), str(await self._sealed_position()))
        base = self._begun.restored_from if self._begun else None
        # Only for the first who asks: he may write, and the next finds more in the volume than is in the store.
        untouched, self._untouched = self._untouched, False
        return {
            "epoch": self._ownership.current.epoch,
            "identity": self._ownership.current.identity,
            "restoredFrom": str(base.position) if base else None,
            "allInStore": untouched,
            "wantsStatus": self._settings.operator is not None,
            "provesOwnership": True,
            "steps": [step.document() for step in self._steps.taken],
        }

    async def barrier(self, timeout_seconds: float | None) -> dict[str, Any]:
        """A barrier for everything committed so far."""
        self._raise_if_fenced()
        if self._barriers is None:
            raise ValueError("the gate is not open yet")
        try:
            async with asyncio.timeout(timeout_seconds):
                return {"position": str(await self._barriers.wait())}
        except TimeoutError:
            raise NotSafeYet(f"not in the store after {timeout_seconds:g} s: {self._barriers.trouble}") from None
        except asyncio.CancelledError:
            self._raise_if_fenced()
            raise

    async def prove(self, within_seconds: float) -> dict[str, Any]:
        """How long ago CURRENT showed this life as the owner. Read again if that is longer than the caller wants."""
        oldest = boot_seconds() - within_seconds
        self._raise_if_fenced()
        if self._barriers is None or self._sealing is not None:
            raise OwnershipUnproven("this life has not begun, or is ending")
        own = self._ownership
        try:
            # Bounded: what writes CURRENT, and repeats that until it is answered, lets nobody read it meanwhile.
            async with asyncio.timeout(_PROVEN_WITHIN_SECONDS), self._proving:
                if own.proven_at < oldest:
                    await own.confirm()
        except NotOurs as error:
            raise Fenced(str(error)) from error
        except (StoreError, TimeoutError) as error:
            why = str(error) or "no answer"
            raise OwnershipUnproven(f"last read {boot_seconds() - own.proven_at:.1f} s ago; now: {why}") from error
        return {"epoch": own.current.epoch, "secondsAgo": boot_seconds() - own.proven_at}

    async def take_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Remember what the runtime says of its executions, for the next report."""
        from msgspec import convert  # only a keeper that reports needs these

        from dormouse.keeper.report import RuntimeStatus

        self._runtime_status = convert(status, RuntimeStatus)
        self.news.set()
        return {}

    async def seal(self, reason: str, next_wake_at: str | None) -> dict[str, Any]:
        """Seal at the final position. Repeated calls wait for the same seal."""
        self._raise_if_fenced()
        self._start_sealing(SealReason(reason), next_wake_at)
        return {"position": str(await self._sealed_position())}

    async def drill(self) -> dict[str, Any]:
        """Restore the present position to a file beside the live one, and say in what they differ."""
        from dormouse.keeper.drill import drilled  # most lives are never drilled

        self._raise_if_fenced()
        if self._litestream is None or self._barriers is None or self._sealing is not None:
            raise NotDrilled("this life has not begun, or is ending")
        async with self._drilling:
            assert self._begun is not None  # noqa: S101 - there are barriers
            return await drilled(self._settings, self._begun.prefix, self._litestream, self._barriers)

    def _start_sealing(self, reason: SealReason, next_wake_at: str | None) -> None:
        if self._sealing is None:
            if self._group is None or self._barriers is None:
                raise ValueError("the gate is not open yet")
            self._seal_reason = reason
            # In the group: a seal that loses to another life ends this one.
            self._sealing = self._group.create_task(self._seal(self._barriers, reason, next_wake_at))

    async def _sealed_position(self) -> Position:
        assert self._sealing is not None  # noqa: S101 - started before
        try:
            return await asyncio.shield(self._sealing)
        except NotOurs as error:
            raise SealFailed(f"not sealed: {error}") from error
        except asyncio.CancelledError:
            self._raise_if_fenced()
            raise

    @property
    def _is_sealed(self) -> bool:
        return self._sealing is not None and self._sealing.done() and not self._sealing.cancelled()

    async def _seal(self, barriers: Barriers, reason: SealReason, next_wake_at: str | None) -> Position:
        if self._collecting is not None:
            self._collecting.cancel()
        position = await barriers.wait()
        # From here on this life writes nothing, whatever the answer to the seal: it may have arrived.
        self._litestream_is_done = True
        if self._litestream is not None:
            await self._litestream.kill()

        def change(current: Current) -> Current:
            return sealed(current, position.txid, reason, next_wake_at)

        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._ownership.update(change)
            except StoreError as error:
                _log.warning("sealing: %s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except NotOurs:
                if self._ownership.sealed_by_us():
                    return position
                raise
            else:
                return position

    # The end.

    async def finish(self) -> str:
        """End well, with a seal as Stopped unless there was one; what to say. Bounded by the caller."""
        if not self._gate.is_set():
            if volume_of(self._settings) is Volume.UNMARKED:
                return "ended before the database was restored; nothing was written"
            await self._gate.wait()  # the volume may hold what is not in the store yet
        if self._begun is not None and self._begun.over:
            return "sealed before"
        self._start_sealing(SealReason.STOPPED, None)
        return f"sealed at {await self._sealed_position()}"

    def not_safe(self) -> str:
        """Exactly what is not in the store, when a life ends unsealed."""
        if self._barriers is None:
            if volume_of(self._settings) is Volume.UNMARKED:
                return "this life never wrote anything"
            return "what this volume holds beyond the last acknowledged transaction is only here"
        last = self._barriers.last_position
        return (
            f"in the store is everything up to transaction {self._barriers.uploaded_txid} of this epoch, the last "
            f"that was acknowledged is {last.txid if last else 0}; written locally was at least "
            f"{self._barriers.seen_txid}"
        )

    def _raise_if_fenced(self) -> None:
        if self._fenced is not None:
            raise self._fenced

    def ready(self) -> tuple[bool, str]:
        """Ready means restored, replication fresh, not fenced."""
        if self._fenced is not None:
            return False, str(self._fenced)
        if self._begun is not None and self._begun.over:
            return False, "this life is sealed"
        barriers = self._barriers
        if barriers is None:
            return False, "restoring"
        if trouble := self._trouble(barriers):
            return False, trouble
        if barriers.last_position is None:
            return False, "the first upload is under way"
        return True, "replicating"

    def _trouble(self, barriers: Barriers) -> str:
        """Why the store does not keep up; empty while it does."""
        if barriers.overdue_seconds() > _STALE_SECONDS:
            return f"commits wait for the store: {barriers.trouble}"
        if boot_seconds() - self._ownership.proven_at > _STALE_SECONDS + FENCE_SECONDS:
            return "CURRENT cannot be read"
        return ""

    async def scraped(self) -> str:
        """The numbers for Prometheus."""
        from dormouse.keeper.figures import Figures, exposition  # a keeper that nobody scrapes does without

        barriers, proven_at = self._barriers, self._ownership.proven_at
        figures = Figures(
            epoch=self._settings.pod.epoch,
            is_ready=self.ready()[0],
            lag_seconds=barriers.overdue_seconds() if barriers else 0.0,
            barriers=barriers.took if barriers else None,
            store_trouble=self._trouble(barriers) if barriers else "",
            proven_seconds=boot_seconds() - proven_at if math.isfinite(proven_at) else None,
            steps=self._steps.taken,
            litestream=await self._litestream.metrics() if self._litestream else "",
        )
        return exposition(figures, self._requests)

    def current(self) -> Current:
        """CURRENT as last seen, once the gate is open."""
        return self._ownership.current

    def seen(self) -> Seen | None:
        """What to report; None before this life can write and once it ends."""
        barriers = self._barriers
        if barriers is None or self._fenced is not None or self._sealing is not None:
            return None
        last = barriers.last_position
        return Seen(
            position=str(last) if last else "",
            trouble=self._trouble(barriers),
            overdue_seconds=barriers.overdue_seconds(),
            runtime_status=self._runtime_status,
        )

    def status(self) -> dict[str, Any]:
        """For people and `dormouse dev`."""
        ready, why = self.ready()
        last = self._barriers.last_position if self._barriers else None
        base = self._begun.restored_from if self._begun else None
        return {
            "epoch": self._settings.pod.epoch,
            "ready": ready,
            "reason": why,
            "position": str(last) if last else None,
            "restoredFrom": str(base.position) if base else None,
            "barrierOverdueSeconds": self._barriers.overdue_seconds() if self._barriers else 0.0,
        }
