"""What happens in one life, from claim to seal? Ties the parts of the keeper together."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from dormouse.keeper.barrier import Barriers
from dormouse.keeper.beginning import Begun, begin
from dormouse.keeper.client import Fenced, SealFailed
from dormouse.keeper.litestream import Litestream
from dormouse.keeper.ownership import NotOurs, Ownership
from dormouse.keeper.settings import Settings
from dormouse.replica.current import Current, Position, SealReason, State
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import Store, StoreError, StoreUnknown

_log = logging.getLogger("dormouse.keeper")

FENCE_SECONDS = 5.0
"""How often CURRENT is read while nothing else reads it."""

_STALE_SECONDS = 10.0
_RESTART_PAUSE_SECONDS = 0.5


class Life:
    """One life. `live` runs until it is over or refused."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._ownership = Ownership(store, settings.layout.current)
        self._begun: Begun | None = None
        self._litestream: Litestream | None = None
        self._barriers: Barriers | None = None
        self._gate = asyncio.Event()
        self._untouched = False
        self._fenced: Fenced | None = None
        self._sealing: asyncio.Task[Position] | None = None
        self._confirmed_at = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether the gate was opened."""
        return self._gate.is_set()

    @property
    def over(self) -> bool:
        """Whether this life sealed itself in an earlier run of the container."""
        return self._begun is not None and self._begun.over

    async def live(self) -> None:
        """Claim, restore, replicate and watch; ends by raising, or by being cancelled after a seal.

        Raises:
            Refused: the reason for the termination message; Fenced among them.
        """
        try:
            self._begun = await begin(self._settings, self._store, self._ownership)
            if self._begun.over:
                await asyncio.Event().wait()
            self._litestream = Litestream(
                self._settings.location,
                self._begun.prefix,
                self._settings.pod.database,
                self._settings.pod.directory / "run",
                self._settings.retention_seconds,
            )
            await self._litestream.start()
            await self._confirm_once()
            self._barriers = Barriers(self._store, self._ownership, self._litestream, self._begun.prefix)
            self._untouched = self._begun.fresh
            self._gate.set()
            _log.info("the gate is open")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_litestream(self._litestream))
                group.create_task(self._barriers.run())
                group.create_task(self._barriers.wait())
                group.create_task(self._watch())
        except* NotOurs as errors:
            await self._end(str(errors.exceptions[0]))
            raise Refused(Reason.FENCED, f"{errors.exceptions[0]}; this pod wrote nothing since") from errors
        except* Refused as errors:
            await self._end(str(errors.exceptions[0]))
            raise _first(errors) from errors

    async def _confirm_once(self) -> None:
        """One read of CURRENT precedes the first write of a life, also after the restart of a keeper."""
        pause = 0.05
        while True:
            try:
                await self._ownership.confirm()
            except StoreUnknown as error:
                _log.warning("reading CURRENT: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                return

    async def _end(self, message: str) -> None:
        self._fenced = Fenced(message)
        if self._litestream is not None:
            await self._litestream.kill()

    async def _keep_litestream(self, litestream: Litestream) -> None:
        while True:
            code = await litestream.ended()
            if self._sealing is not None:
                await asyncio.Event().wait()
            _log.error("litestream ended with exit code %s; starting it again", code)
            await asyncio.sleep(_RESTART_PAUSE_SECONDS)
            await litestream.start()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(FENCE_SECONDS)
            if self._sealing is not None:
                continue
            try:
                await self._ownership.confirm()
                self._confirmed_at = time.monotonic()
            except StoreError as error:
                _log.warning("watching CURRENT: %s", error)

    # What the service offers.

    async def gate(self) -> dict[str, Any]:
        """Wait until work may start."""
        await self._gate.wait()
        self._raise_if_over()
        base = self._begun.restored_from if self._begun else None
        # Only for the first who asks: he may write, and the next finds more in the volume than is in the store.
        untouched, self._untouched = self._untouched, False
        return {
            "epoch": self._ownership.current.epoch,
            "identity": self._ownership.current.identity,
            "restoredFrom": str(base.position) if base else None,
            "allInStore": untouched,
        }

    async def barrier(self) -> dict[str, Any]:
        """A barrier for everything committed so far."""
        self._raise_if_over()
        if self._barriers is None:
            raise ValueError("the gate is not open yet")
        try:
            return {"position": str(await self._barriers.wait())}
        except asyncio.CancelledError:
            self._raise_if_over()
            raise Fenced("this life ends") from None

    async def seal(self, reason: str, next_wake_at: str | None) -> dict[str, Any]:
        """Seal at the final position. Repeated calls wait for the same seal."""
        self._raise_if_over()
        if self._sealing is None:
            self._sealing = asyncio.create_task(self._seal(SealReason(reason), next_wake_at))
        try:
            return {"position": str(await asyncio.shield(self._sealing))}
        except NotOurs as error:
            raise SealFailed(f"not sealed: {error}") from error

    async def _seal(self, reason: SealReason, next_wake_at: str | None) -> Position:
        assert self._barriers is not None  # noqa: S101 - the gate was open
        assert self._litestream is not None  # noqa: S101
        position = await self._barriers.wait()
        # From here on this life writes nothing, whatever the answer to the seal: it may have arrived.
        await self._litestream.kill()

        def sealed(current: Current) -> Current:
            return replace(
                current.with_entry(sealed_txid=position.txid),
                state=State.SEALED,
                seal_reason=reason,
                next_wake_at=next_wake_at,
            )

        await self._ownership.update(sealed)
        return position

    async def finish(self) -> str:
        """Seal as Stopped unless that was done; the message to leave. Bounded by the caller."""
        if self.over:
            return "sealed before"
        if self._sealing is None:
            self._sealing = asyncio.create_task(self._seal(SealReason.STOPPED, None))
        return f"sealed at {await asyncio.shield(self._sealing)}"

    def not_safe(self) -> str:
        """Exactly what is not in the store, when a life ends unsealed."""
        if self._barriers is None:
            return "this life never wrote anything"
        last = self._barriers.last_position
        return (
            f"in the store is everything up to transaction {self._barriers.uploaded_txid} of this epoch, the last that "
            f"was acknowledged is {last.txid if last else 0}; written locally was at least {self._barriers.seen_txid}"
        )

    def _raise_if_over(self) -> None:
        if self._fenced is not None:
            raise self._fenced

    def ready(self) -> tuple[bool, str]:
        """Ready means restored, replication fresh, not fenced."""
        if self._fenced is not None:
            return False, str(self._fenced)
        if self._barriers is None:
            return False, "restoring"
        if self._barriers.last_position is None:
            return False, "the first upload is under way"
        if self._barriers.overdue_seconds() > _STALE_SECONDS:
            return False, "the store does not answer; commits wait"
        return True, "replicating"

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


def _first(errors: BaseExceptionGroup[Refused]) -> Refused:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
