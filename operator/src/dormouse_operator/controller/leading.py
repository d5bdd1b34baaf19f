"""When does this replica lead, and what runs meanwhile?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime

from dormouse_operator.controller.api_server import ApiError, ApiServer, Conflict, NotFound
from dormouse_operator.controller.lease import Sighting, Terms, held, is_over, may_take, released, sight
from dormouse_operator.controller.resources import LEASES, Document

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """Which Lease, and under which name it is held: unique for each process, or two would both think that they lead."""

    namespace: str
    lease: str
    identity: str


class Election:
    """Leads while the Lease is renewed in time; two that both act for a moment do no harm, see docs/design.md."""

    def __init__(self, api: ApiServer, candidate: Candidate, terms: Terms) -> None:
        """Nothing is asked before `lead`."""
        self._api = api
        self._me = candidate
        self._terms = terms
        self._sighting: Sighting | None = None
        self._lease: Document | None = None
        self._renewed_at = 0.0

    async def lead(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `work` whenever this replica leads, until cancelled; then give the Lease back."""
        try:
            while True:
                await self._acquire()
                log.info("%s leads", self._me.identity)
                await self._work_while_leading(work)
                log.warning("%s leads no more", self._me.identity)
        finally:
            await asyncio.shield(self._release())

    async def _work_while_leading(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        working = asyncio.create_task(work(), name="what the leader does")
        keeping = asyncio.create_task(self._keep(), name="renews the lease")
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)
        if not working.cancelled() and (failed := working.exception()) is not None:
            raise failed

    async def _acquire(self) -> None:
        while True:
            if await self._try():
                return
            await asyncio.sleep(self._terms.retry_seconds)

    async def _keep(self) -> None:
        """Returns when the Lease is lost."""
        while not is_over(self._renewed_at, _clock(), self._terms):
            await asyncio.sleep(self._terms.renew_seconds if self._lease is not None else self._terms.retry_seconds)
            left = self._terms.deadline_seconds - (_clock() - self._renewed_at)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await self._try()
            except TimeoutError:
                return
            if self._sighting is not None and self._sighting.record[1] not in (None, "", self._me.identity):
                return

    async def _try(self) -> bool:
        """Take or renew the Lease, if that is allowed."""
        now = _clock()
        try:
            lease = self._lease or await self._read()
            if lease is not None:
                self._sighting = sight(self._sighting, lease, now)
                if not may_take(lease, self._sighting, self._me.identity, now):
                    return False
            wanted = held(lease, self._me.namespace, self._me.lease, self._me.identity, _timestamp(), self._terms)
            write = self._api.create if lease is None else self._api.replace
            self._lease = await write(LEASES, wanted)
        except ApiError as failed:
            if not isinstance(failed, Conflict):
                log.warning("the lease %s/%s: %s", self._me.namespace, self._me.lease, failed)
            self._lease = None
            return False
        self._sighting = sight(self._sighting, self._lease, now)
        self._renewed_at = now
        return True

    async def _read(self) -> Document | None:
        try:
            return await self._api.get(LEASES, self._me.namespace, self._me.lease)
        except NotFound:
            return None

    async def _release(self) -> None:
        lease = self._lease
        if lease is None or (lease.get("spec") or {}).get("holderIdentity") != self._me.identity:
            return
        with contextlib.suppress(ApiError):  # it runs out by itself then
            await self._api.replace(LEASES, released(lease, _timestamp()))


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
