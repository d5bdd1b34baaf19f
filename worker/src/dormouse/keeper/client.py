"""How does a runtime ask the keeper? The client's side of the socket."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.keeper.proof import boot_seconds
from dormouse.keeper.wire import VERSION, line, short_path

_ATTEMPTS = 1500
_PAUSE_SECONDS = 0.02


class KeeperError(Exception):
    """The keeper did not do what was asked."""


class Fenced(KeeperError):
    """A newer life is current: stop at once, write nothing."""


class KeeperGone(KeeperError):
    """The keeper ended or cannot be reached."""


class SealFailed(KeeperError):
    """The seal is not in the store; the message says what is not safe yet."""


class NotDrilled(KeeperError):
    """The drill could not be done, which says nothing about the copy."""


class NotSafeYet(KeeperError):
    """The barrier took longer than the caller wanted to wait."""


class OwnershipUnproven(KeeperError):
    """The store could not be asked whether this life still owns its epoch."""


class AlreadySealed(KeeperError):
    """This life ended well before; nothing may be written any more."""

    def __init__(self, reason: str, position: str) -> None:
        super().__init__(f"sealed as {reason} at {position}")
        self.reason = reason
        self.position = position


_ERRORS: dict[str, type[KeeperError]] = {
    kind.__name__: kind for kind in (Fenced, SealFailed, NotDrilled, NotSafeYet, OwnershipUnproven)
}


@dataclass(frozen=True)
class Life:
    """What the keeper says when the gate opens.

    Attributes:
        epoch: the number of this life.
        identity: the executor id; idempotency keys derive from it.
        restored_from: the position `epoch/txid`, or None in a first life.
        all_in_store: what the database holds is in the store already, so work may go on from it without a barrier.
        wants_status: the keeper passes on what the runtime says of its executions.
        proves_ownership: the keeper can be asked for a proof.
        steps: what the keeper did until the gate was open, as `dormouse.keeper.steps.Step` puts it.
    """

    epoch: int
    identity: str
    restored_from: str | None
    all_in_store: bool = False
    wants_status: bool = False
    proves_ownership: bool = False
    steps: tuple[dict[str, Any], ...] = ()


class KeeperClient:
    """One connection; requests may overlap."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._next_barrier: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[KeeperError] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())
        self._proven_at = -math.inf

    @classmethod
    async def connect(cls, path: Path) -> KeeperClient:
        """Wait until the socket is there.

        Raises:
            KeeperGone: after 30 seconds.
        """
        for _ in range(_ATTEMPTS):
            try:
                with short_path(path) as name:
                    return cls(*await asyncio.open_unix_connection(name))
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)
        raise KeeperGone(f"no keeper answers at {path}")

    @property
    def ended(self) -> asyncio.Future[KeeperError]:
        """Resolves with Fenced or KeeperGone once the keeper says stop, or vanishes."""
        return self._ended

    async def gate(self) -> Life:
        """Wait until the epoch is claimed and the database restored.

        Raises:
            AlreadySealed: when an earlier run of this container brought the life to its end.
        """
        answer = await self._ask("gate")
        return Life(
            answer["epoch"],
            answer["identity"],
            answer["restoredFrom"],
            answer.get("allInStore", False),
            answer.get("wantsStatus", False),
            answer.get("provesOwnership", False),
            tuple(answer.get("steps", ())),
        )

    async def barrier(self) -> None:
        """Return once every commit made before this call is in the store and the epoch is still ours."""
        if self._next_barrier is None:
            self._next_barrier = asyncio.create_task(self._ask_for_barrier())
            self._next_barrier.add_done_callback(_look_at)
        await asyncio.shield(self._next_barrier)

    async def _ask_for_barrier(self) -> None:
        """For all that want one in this turn of the loop: what they committed was committed before this is sent."""
        self._next_barrier = None
        asked = boot_seconds()
        await self._ask("barrier")
        self._proven_at = max(self._proven_at, asked)

    async def ownership(self, within_seconds: float) -> None:
        """Have it proven that the epoch is ours, or was at most so long ago.

        Raises:
            OwnershipUnproven: when the store gives no answer.
        """
        asked = boot_seconds()
        answer = await self._ask("ownership", within=within_seconds)
        # Counted from the question: the answer may have been under way for long.
        self._proven_at = max(self._proven_at, asked - answer["secondsAgo"])

    @property
    def proven_seconds_ago(self) -> float:
        """How old the newest proof of ownership is that anyone asked for on this connection."""
        return boot_seconds() - self._proven_at

    async def tell_status(self, status: dict[str, Any]) -> None:
        """Say what the executions do; the keeper decides when that is worth a report."""
        await self._ask("status", status=status)

    async def drill(self) -> dict[str, Any]:
        """Have the present position restored to a file: `position`, `path`, and `problems`, none when all is well."""
        return await self._ask("drill")

    async def seal(self, reason: str, next_wake_at: str | None = None) -> str:
        """Record a good end; the database must be closed. Returns the final position."""
        answer = await self._ask("seal", reason=reason, nextWakeAt=next_wake_at)
        return str(answer["position"])

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        self._writer.close()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        if self._ended.done():
            raise self._ended.result()
        self._count += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = future
        self._writer.write(line({"v": VERSION, "id": self._count, "op": op, **arguments}))
        return await future

    async def _listen(self) -> None:
        end: KeeperError = KeeperGone("the keeper closed the connection")
        try:
            while data := await self._reader.readline():
                message = json.loads(data)
                if message.get("event") == "fenced":
                    end = Fenced(message["message"])
                    break
                self._answered(message)
        except OSError as error:
            end = KeeperGone(str(error))
        finally:
            self._finish(end)

    def _answered(self, message: dict[str, Any]) -> None:
        future = self._waiting.pop(message["id"], None)
        if future is None or future.done():
            return
        if message["ok"]:
            future.set_result(message)
            return
        if message["error"] == "Sealed":
            future.set_exception(AlreadySealed(message["reason"], message["position"]))
            return
        kind = _ERRORS.get(message["error"], KeeperGone)
        future.set_exception(kind(f"{message['error']}: {message['message']}"))

    def _finish(self, end: KeeperError) -> None:
        if not self._ended.done():
            self._ended.set_result(end)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(end)
        self._waiting.clear()


def _look_at(barrier: asyncio.Task[None]) -> None:
    """Whoever waited may have been cancelled meanwhile: then nobody is told why it failed."""
    if not barrier.cancelled():
        barrier.exception()
