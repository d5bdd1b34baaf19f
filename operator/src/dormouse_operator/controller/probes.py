"""What does this replica answer to a kubelet and to Prometheus? It answers from the very loop that does its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module

from aiohttp import web

from dormouse_operator.controller.figures import Figures
from dormouse_operator.controller.tally import Tally

Answer = Callable[[web.Request], Awaitable[web.Response]]


class AnsweringServer:
    """A GET to one of a few paths."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Answers nothing before `listen`."""
        application = web.Application(client_max_size=1024)
        for path, answer in answers.items():
            application.router.add_get(path, answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def listen(self, port: int) -> None:
        """On every address. Raises OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, None, port).start()

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()


def probes(objections: Callable[[], tuple[str, ...]]) -> AnsweringServer:
    """`/healthz` is for the kubelet to start anew what hangs; `/readyz` says what keeps it from noticing changes."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        found = objections()
        return web.Response(text="".join(f"{each}\n" for each in found or ("ready",)), status=503 if found else 200)

    return AnsweringServer({"/healthz": healthz, "/readyz": readyz})


def metrics(tally: Tally, look: Callable[[], Figures]) -> AnsweringServer:
    """`/metrics`."""

    async def scraped(request: web.Request) -> web.Response:
        # Only the first scrape pays for it, and the loop goes on meanwhile.
        exposing = await asyncio.to_thread(import_module, "dormouse_operator.controller.metrics")
        body, content_type = exposing.exposition(tally, look(), request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return AnsweringServer({"/metrics": scraped})
