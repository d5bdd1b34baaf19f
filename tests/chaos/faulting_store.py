"""How does the store misbehave towards one pod? A proxy that counts its requests, and does what a story says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import h11
from store_proxy import Answer, StoreProxy
from story import Fault, Request, StoreFault

_SLOW_SECONDS = 0.4
_HANG_SECONDS = 5.5  # the keeper's own time-out is 5 s
_STATUS = {Fault.ERROR_500: 500, Fault.ERROR_503: 503, Fault.CONFLICT: 409}


def kind_of(request: h11.Request) -> Request | None:
    """What a story calls this request; None for the probe of conditional writes and for deletions."""
    path, _, query = request.target.partition(b"?")
    if path.endswith(b"/.conditional-write-probe"):
        return None
    if request.method == b"GET" and b"list-type" in query:
        return Request.LISTING
    of_current = path.endswith(b"/CURRENT")
    if request.method == b"PUT":
        return Request.CURRENT_WRITE if of_current else Request.DATA_WRITE
    if request.method in (b"GET", b"HEAD"):
        return Request.CURRENT_READ if of_current else Request.DATA_READ
    return None


def _nothing(_kind: Request, _number: int, _when: str) -> None: ...


@dataclass
class FaultingStore(StoreProxy):
    """One pod's way to the store. `seen` hears of each request before and after the store does."""

    seen: Callable[[Request, int, str], None] = _nothing
    met: Counter[Fault] = field(default_factory=Counter)
    """Which faults requests have met so far."""
    _faults: Sequence[StoreFault] = ()
    _numbers: Counter[Request] = field(default_factory=Counter)
    _late: list[tuple[h11.Request, bytes]] = field(default_factory=list)

    def begin(self, faults: Sequence[StoreFault]) -> None:
        """Count from one again, and do these from now on."""
        self._faults = faults
        self._numbers.clear()

    def recover(self) -> None:
        """The store is well again."""
        self._faults = ()
        self.down = False

    async def deliver(self) -> None:
        """What was under way for so long arrives at the store."""
        late, self._late = self._late, []
        for request, body in late:
            await self._pass_on(request, body)

    async def _answer(self, request: h11.Request, body: bytes) -> Answer | None:
        kind = kind_of(request)
        if kind is None:
            return await self._pass_on(request, body)
        self._numbers[kind] += 1
        number = self._numbers[kind]
        fault = next((each.fault for each in self._faults if each.meets(kind, number)), None)
        self.seen(kind, number, "before")
        if self._is_cut():
            return None
        if fault is not None:
            self.met[fault] += 1
        answer = await self._treat(fault, request, body)
        self.seen(kind, number, "after")
        return None if self._is_cut() else answer

    def _is_cut(self) -> bool:
        """Whether it went down while the request was under way: `seen` may do that."""
        return self.down

    async def _treat(self, fault: Fault | None, request: h11.Request, body: bytes) -> Answer | None:
        if fault in _STATUS:
            return Answer(h11.Response(status_code=_STATUS[fault], headers=[]))
        if fault is Fault.LATE:
            self._late.append((request, body))
        if fault in (Fault.RESET_BEFORE, Fault.LATE):
            return None
        if fault is Fault.SLOW:
            await asyncio.sleep(_SLOW_SECONDS)
        if fault is Fault.HANG:
            await asyncio.sleep(_HANG_SECONDS)
            return None
        answer = await self._pass_on(request, body)
        if fault is Fault.RESET_AFTER:
            return None
        if fault is Fault.TRUNCATE:
            return Answer(answer.response, answer.content, cut=True)
        return answer
