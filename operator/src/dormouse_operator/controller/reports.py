"""What does the operator answer to a keeper that reports? A small HTTP server, and what becomes of wrong input.

A report is taken, with 204, once the status that follows from it is saved: before that its keeper sends it again,
to whoever leads then. So no leader has to ask for anything, and none has to be told twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec
from aiohttp import web

from dormouse.keeper.report import LARGEST_REPORT_BYTES, Report
from dormouse_operator.controller.api_server import ApiError
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.reports_sender import Sender, Senders, TooManyTokens, objection
from dormouse_operator.controller.resources import WORKFLOWS, Document
from dormouse_operator.controller.tally import TAKEN, Tally
from dormouse_operator.controller.world import World

PATH = "/v1/reports"
_SAVING_SECONDS = 10.0
_PAUSE_SECONDS = 1.0
_SENDING_SECONDS = 5.0
_AT_ONCE = 256
_REMEMBERED_PODS = 10_000


class Refusal(Exception):
    """The answer to a report that is not taken."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class ReportsServer:
    """Takes reports while this replica leads."""

    def __init__(self, world: World, senders: Senders, inbox: Inbox, tally: Tally) -> None:
        """`world` knows the pods that may report, and is told of what was reported."""
        self._world = world
        self._senders = senders
        self._inbox = inbox
        self._tally = tally
        self._posted_at: OrderedDict[str, float] = OrderedDict()
        self._answering = 0
        application = web.Application(client_max_size=LARGEST_REPORT_BYTES)
        application.router.add_post(PATH, self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    async def listen(self, host: str | None, port: int) -> None:
        """Answer from now on; on every address without a host."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self._answering += 1
        try:
            await self._take(request)
        except Refusal as refusal:
            self._tally.reports[refusal.reason] += 1
            told = {"error": {"reason": refusal.reason, "message": str(refusal)}}
            headers = {"Retry-After": "1"} if refusal.status in (429, 503) else {}
            return web.json_response(told, status=refusal.status, headers=headers)
        finally:
            self._answering -= 1
        self._tally.reports[TAKEN] += 1
        return web.Response(status=204)

    async def _take(self, request: web.Request) -> None:
        if not self._inbox.is_open:
            raise Refusal(503, "NotTheLeader", "this replica does not lead; ask again, on a new connection")
        if self._answering > _AT_ONCE:
            raise Refusal(503, "Busy", f"{_AT_ONCE} other reports are being taken; report again")
        sender = await self._identify(request)
        report = _parse(await _body(request))
        pod = self._world.pods.get((sender.namespace, sender.pod))
        if pod is None or pod["metadata"].get("uid") != sender.pod_uid:
            raise Refusal(404, "UnknownPod", f"the operator does not see pod {sender.pod} of {sender.namespace} yet")
        if why := objection(report, sender, pod):
            raise Refusal(403, "NotYours", why)
        self._check_pace(sender)
        await self._record(report)

    async def _identify(self, request: web.Request) -> Sender:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "NoToken", "a report needs the header `Authorization: Bearer TOKEN`")
        try:
            sender = await self._senders.identify(token)
        except TooManyTokens as busy:
            raise Refusal(503, "Busy", str(busy)) from busy
        except ApiError as failed:
            raise Refusal(503, "NotReviewed", f"the API server did not review the token: {failed}") from failed
        if sender is None:
            raise Refusal(401, "WrongToken", "the token is not one that a pod has for the audience dormouse.dev")
        return sender

    def _check_pace(self, sender: Sender) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._posted_at.get(sender.pod_uid, -_PAUSE_SECONDS) < _PAUSE_SECONDS:
            raise Refusal(429, "TooManyReports", f"a pod may report every {_PAUSE_SECONDS:g} s")
        self._posted_at[sender.pod_uid] = now
        self._posted_at.move_to_end(sender.pod_uid)
        if len(self._posted_at) > _REMEMBERED_PODS:
            self._posted_at.popitem(last=False)

    async def _record(self, report: Report) -> None:
        key = (report.namespace, report.name)
        concerned: Document = {"metadata": {"namespace": report.namespace, "name": report.name}}
        saving = self._inbox.put(key, report)
        self._world.wake(WORKFLOWS, concerned)
        await asyncio.wait({saving}, timeout=_SAVING_SECONDS)
        if not saving.done() or saving.cancelled():
            raise Refusal(503, "NotSaved", "the status was not written; report again")


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_SENDING_SECONDS):
            return await request.read()
    except TimeoutError as late:
        raise Refusal(408, "TooSlow", f"the body was not there within {_SENDING_SECONDS:g} s") from late


def _parse(body: bytes) -> Report:
    try:
        return msgspec.json.decode(body, type=Report)
    except msgspec.ValidationError as wrong:
        raise Refusal(422, "InvalidReport", str(wrong)) from wrong
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Refusal(400, "NotJSON", f"the body is not JSON: {wrong}") from wrong
