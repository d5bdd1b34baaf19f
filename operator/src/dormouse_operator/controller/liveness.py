"""Is this replica alive? It says so from the very loop that does its work, so that one that hangs says nothing."""

from __future__ import annotations

from aiohttp import web

PATH = "/healthz"


class Liveness:
    """Answers GET /healthz; the kubelet starts the container anew when it does not."""

    def __init__(self) -> None:
        application = web.Application(client_max_size=1024)
        application.router.add_get(PATH, _answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def listen(self, port: int) -> None:
        """On every address. Raises OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, None, port).start()

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="alive\n")
