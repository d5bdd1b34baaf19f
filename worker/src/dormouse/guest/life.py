"""What does `dormouse exec` do from its start to its end? Gate, proof, the command, and then a seal or a bad end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from typing import Any

from dormouse.guest.fencing import first_proof, until_lost
from dormouse.guest.process import Guest
from dormouse.guest.settings import Settings, guest_environment, socket_name
from dormouse.keeper.admission import SHARE_OF_GRACE, NotSealed, ToldToStop, enter, leave, unless_told
from dormouse.keeper.client import AlreadySealed, KeeperClient, KeeperError, Life
from dormouse.keeper.proof import Bound
from dormouse.pod import Ending
from dormouse.probes import NOT_FOUND, OK, UNAVAILABLE, Page, serve_probes

_ENDS = (signal.SIGTERM, signal.SIGINT)
_PASSED_ON = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_GUESTS_SHARE_OF_GRACE = 0.5
_NOT_FOUND, _NOT_RUNNABLE = 127, 126
_log = logging.getLogger("dormouse.guest")


class GuestLife:
    """One process of the main container."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment
        self._bound = Bound(settings.pod.fence_seconds)
        self._told_to_stop = asyncio.Event()
        self._guest: Guest | None = None

    async def run(self) -> Ending:
        """Live until the command has ended, or has to."""
        for number in (*_ENDS, *_PASSED_ON):
            asyncio.get_running_loop().add_signal_handler(number, self._told, number)
        settings = self._settings
        try:
            server = await serve_probes(settings.host, settings.port, self._page)
        except OSError as error:
            return Ending("InvalidSettings", f"cannot listen on port {settings.port}: {error.strerror}", 1)
        try:
            keeper, life = await unless_told(asyncio.create_task(self._enter()), self._told_to_stop)
            return await self._live(keeper, life)
        except ToldToStop:
            return Ending("Stopped", "told to stop before the command was started; nothing was written", 0)
        except AlreadySealed as sealed:
            return Ending(sealed.reason, "an earlier run of this container sealed it", 0, {"position": sealed.position})
        except KeeperError as error:
            return Ending(type(error).__name__, str(error), 1)
        finally:
            server.close()

    async def _enter(self) -> tuple[KeeperClient, Life]:
        keeper, life = await enter(self._settings.pod)
        if not life.proves_ownership:
            raise KeeperError("this keeper is older and cannot prove ownership; upgrade the operator and its images")
        await first_proof(keeper, self._bound)
        return keeper, life

    async def _live(self, keeper: KeeperClient, life: Life) -> Ending:
        socket = self._settings.pod.keeper_socket
        folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY)
        command = self._settings.command
        try:
            name = socket_name(socket, folder)
            try:
                self._guest = Guest.start(command, guest_environment(self._environment, self._settings.pod, life, name))
            except OSError as error:
                code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE
                return Ending(
                    "EntrypointFailed", f"cannot run {command[0]!r}: {error.strerror}; check spec.exec.command", code
                )
            _log.info("epoch %d is open, %s runs as process %d", life.epoch, command[0], self._guest.pid)
            return await self._work(keeper, self._guest)
        finally:
            os.close(folder)

    async def _work(self, keeper: KeeperClient, guest: Guest) -> Ending:
        losing = asyncio.create_task(until_lost(keeper, self._bound))
        stopping = asyncio.create_task(self._told_to_stop.wait())
        ends: set[asyncio.Future[Any]] = {guest.exit_code, losing}
        try:
            await asyncio.wait({*ends, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                seconds = self._settings.grace_seconds * _GUESTS_SHARE_OF_GRACE
                await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if losing.done():
                why = losing.result()
                await guest.end(self._bound.until_killed(keeper.proven_seconds_ago))
                return Ending(type(why).__name__, f"{why}; the command was ended", 1)
            guest.kill()
            return await self._end(keeper, await guest.exit_code)
        finally:
            losing.cancel()
            stopping.cancel()
            guest.kill()

    async def _end(self, keeper: KeeperClient, code: int) -> Ending:
        """Seal when it was told to stop, or says by its exit code that all is done; otherwise it is started again."""
        stopped = self._told_to_stop.is_set()
        command = self._settings.command[0]
        if code and not stopped:
            return Ending("GuestFailed", f"{command} ended with exit code {code}", code)
        reason = "Stopped" if stopped else "Completed"
        sealing = asyncio.create_task(keeper.seal(reason))
        try:
            seconds = self._settings.grace_seconds * (SHARE_OF_GRACE - _GUESTS_SHARE_OF_GRACE)
            position = await leave(sealing, keeper, self._told_to_stop, seconds)
        except NotSealed as error:
            return Ending(reason, str(error), 1)
        facts = {"epoch": str(self._settings.pod.epoch), "position": position}
        return Ending(reason, f"{command} ended with exit code {code}; everything is in the store", code, facts)

    def _told(self, number: signal.Signals) -> None:
        if number in _ENDS:
            self._told_to_stop.set()
        if self._guest is not None:
            self._guest.send(number)

    async def _page(self, path: str) -> Page:
        runs = self._guest is not None and not self._guest.exit_code.done()
        match path:
            case "/healthz":
                return OK, {"healthy": True}
            case "/readyz":
                return (OK if runs else UNAVAILABLE), {"ready": runs}
            case _:
                return NOT_FOUND, {"error": "there are /healthz and /readyz; a command has its own port for the rest"}
