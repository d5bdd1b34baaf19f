"""What does a runtime do that has no keeper? Replay, serve, work, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dormouse.commands.copies import why_not_to_run
from dormouse.commands.file_faults import explain
from dormouse.engine.engine import Engine
from dormouse.engine.requests import by_name
from dormouse.engine.retention import Retention
from dormouse.engine.sealing import Codec
from dormouse.logs import Format, log_as
from dormouse.runtime.access import TokenFile
from dormouse.runtime.api import Api
from dormouse.runtime.entrypoint import EntrypointFailed, NoModule, load
from dormouse.runtime.refusals import refuse
from dormouse.runtime.server import serve
from dormouse.runtime.tracing import send_the_last
from dormouse.token_file import InvalidTokens

if TYPE_CHECKING:
    from dormouse.telemetry import OpenTelemetry

_NO_EPOCH = 0


class CannotRun(Exception):
    """The message says why, and what to do."""


@dataclass(frozen=True)
class Standalone:
    """One run of a module on a file."""

    module: str
    folder: Path
    database: Path
    host: str
    port: int
    token_file: Path | None
    log_format: Format
    say: Callable[[str], None]
    codec: Codec | None = None
    retention: Retention | None = None
    telemetry: OpenTelemetry | None = None

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises:
            CannotRun: when the module, the file or the port do not let it.
        """
        why_not = why_not_to_run(self.database)
        if why_not is not None:
            raise CannotRun(why_not)
        log_as(self.log_format)
        api = Api(_NO_EPOCH)
        try:
            api.tokens = None if self.token_file is None else TokenFile(self.token_file)
            module = load(self.module, self.folder)
        except NoModule as error:
            raise CannotRun(
                f"there is no module {self.module!r}: MODULE is a Python file, such as {self.module}.py, "
                f"or the name of a module that can be imported in {self.folder}"
            ) from error
        except (EntrypointFailed, InvalidTokens) as error:
            raise CannotRun(str(error)) from error
        if not by_name(module):
            raise CannotRun(f"{self.module} has no workflow: decorate one with @workflow, or import one")
        try:
            server = await serve(api.answer, refuse, self.host, self.port)
        except OSError as error:
            raise CannotRun(
                f"cannot listen on {self.host}:{self.port}: {error.strerror}; choose another --port"
            ) from error
        try:
            await self._work(module, api, server.sockets[0].getsockname()[1])
        except sqlite3.Error as error:
            raise CannotRun(explain(self.database, error)) from error
        finally:
            server.close()
            await send_the_last(self.telemetry)

    async def _work(self, module: ModuleType, api: Api, port: int) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        options: dict[str, Any] = {"codec": self.codec, "retention": self.retention, "telemetry": self.telemetry}
        async with Engine(self.database, module, **options) as engine:
            await engine.recovered()
            api.engine = engine
            self.say(
                f"{self.database} on http://{self.host}:{port} ({', '.join(engine.workflows)}), process {getpid()}"
            )
            stopping = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[Any]] = {stopping, engine.failure}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            api.engine, api.not_ready = None, "this run is ending; ask the next one"
            if engine.failure.done():
                raise CannotRun(f"cannot write any more: {explain(self.database, engine.failure.result())}")
            stopping.cancel()
            self.say("ending; what is open goes on with the next run")
