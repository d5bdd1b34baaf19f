"""What does a runtime do from its start to its end? Gate, replay, work, and then a good end or a bad one."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING

from dormouse.engine.durability import AsyncDurability, Durability, SyncDurability
from dormouse.engine.ending import Status
from dormouse.engine.engine import Engine
from dormouse.engine.journal import Event, Kind
from dormouse.engine.payload import decode_failure
from dormouse.errors import DormouseError, InvalidDefinition
from dormouse.keeper.admission import SHARE_OF_GRACE, NotSealed, ToldToStop, enter, leave, unless_told
from dormouse.keeper.client import AlreadySealed, KeeperClient, KeeperError, Life
from dormouse.keeper.proof import Bound
from dormouse.pod import Ending
from dormouse.runtime.access import TokenFile
from dormouse.runtime.api import Api
from dormouse.runtime.drill import Drill
from dormouse.runtime.ending import ending_of
from dormouse.runtime.entrypoint import EntrypointFailed, load
from dormouse.runtime.fencing import Fence
from dormouse.runtime.refusals import refuse
from dormouse.runtime.server import serve
from dormouse.runtime.settings import MAIN, Settings
from dormouse.runtime.tracing import send_the_last, telemetry_for
from dormouse.token_file import InvalidTokens

if TYPE_CHECKING:
    from dormouse.runtime.drilling import Drilling
    from dormouse.runtime.life_trace import LifeTrace
    from dormouse.telemetry import OpenTelemetry

_SHOWN_BYTES = 1500
_log = logging.getLogger("dormouse.runtime")


class RuntimeLife:
    """One process of the main container."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings.pod.epoch)
        self._told_to_stop = asyncio.Event()
        self._telemetry: OpenTelemetry | None = None
        self._trace: LifeTrace | None = None

    async def run(self) -> Ending:
        """Live until the work is done, or someone says stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_stop.set)
        settings = self._settings
        try:
            self._api.tokens = None if settings.token_file is None else TokenFile(settings.token_file)
            if settings.sends_traces:
                self._telemetry = telemetry_for(settings.pod.name, settings.app_version or None)
                self._trace = _trace_of(self._telemetry, settings)
            server = await serve(self._api.answer, refuse, settings.host, settings.port)
        except InvalidTokens as error:
            return Ending("InvalidSettings", f"DORMOUSE_API_TOKEN_FILE: {error}", 1)
        except ImportError as error:
            return Ending("InvalidSettings", f"DORMOUSE_TELEMETRY: {error}", 1)
        except OSError as error:
            return Ending("InvalidSettings", f"cannot listen on port {settings.port}: {error.strerror}", 1)
        try:
            return await self._live()
        except ToldToStop:
            return Ending("Stopped", "told to stop before the gate was open; nothing was written", 0)
        except AlreadySealed as sealed:
            return Ending(sealed.reason, "an earlier run of this container sealed it", 0, {"position": sealed.position})
        except (EntrypointFailed, DormouseError, KeeperError, sqlite3.Error) as error:
            return ending_of(error)
        finally:
            server.close()
            await send_the_last(self._telemetry)

    def _step(self, name: str) -> AbstractContextManager[object]:
        """Of the trace of this life, where one is sent."""
        return nullcontext() if self._trace is None else self._trace.steps.step(name)

    def _load(self) -> ModuleType:
        try:
            return load(self._settings.entrypoint, self._settings.source)
        except EntrypointFailed:
            _log.exception("the entrypoint %s does not import", self._settings.entrypoint)
            raise

    async def _live(self) -> Ending:
        opening = asyncio.create_task(enter(self._settings.pod))
        await asyncio.sleep(0)  # the keeper hears of us before the import, which may take long
        with self._step("import"):
            module = self._load()
        with self._step("gate"):
            keeper, life = await unless_told(opening, self._told_to_stop)
        fence = Fence(keeper, Bound(self._settings.pod.fence_seconds))
        engine = self._engine(module, keeper, life, fence)
        with self._step("open file"):
            await engine.__aenter__()
        _log.info("epoch %d is open, restored from %s", life.epoch, life.restored_from or "nothing")
        self._api.drill = drill = Drill(keeper, engine.workflows, self._settings.codec)
        beside = []
        drilling = None
        if self._settings.drill_seconds:
            from dormouse.runtime.drilling import Drilling

            drilling = Drilling(drill, self._settings.drill_seconds, self._settings.last_drill, engine.look_again)
            beside.append(asyncio.create_task(drilling.run()))
        if life.wants_status:
            beside.append(asyncio.create_task(self._tell(engine, keeper, drilling)))
        try:
            return await self._work(engine, keeper, life, fence)
        finally:
            for task in beside:
                task.cancel()

    def _engine(self, module: ModuleType, keeper: KeeperClient, life: Life, fence: Fence) -> Engine:
        pod = self._settings.pod
        durability: Durability = (
            SyncDurability(keeper)
            if pod.durability == "Sync"
            else AsyncDurability(keeper, pod.max_lag_seconds, all_in_store=life.all_in_store)
        )
        try:
            return Engine(
                pod.database,
                module,
                durability=durability,
                identity=life.identity,
                app_version=self._settings.app_version or None,
                all_counts=life.all_in_store,
                codec=self._settings.codec,
                retention=self._settings.retention,
                telemetry=self._trace,
                before_attempt=fence.before_attempt if life.proves_ownership else None,
            )
        except InvalidDefinition as error:
            raise EntrypointFailed(str(error)) from error

    # The work.

    async def _work(self, engine: Engine, keeper: KeeperClient, life: Life, fence: Fence) -> Ending:
        working = asyncio.create_task(self._until_done(engine, life))
        stopping = asyncio.create_task(self._told_to_stop.wait())
        failures = (keeper.ended, engine.failure, fence.failure)
        ends: set[asyncio.Future[object]] = {working, stopping, *failures}  # type: ignore[arg-type]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for failure in failures:
            if failure.done():
                return ending_of(failure.result())
        if working.done():
            working.result()  # or what kept the workflow from starting
            return await self._end_well(engine, keeper, "Completed")
        working.cancel()
        return await self._end_well(engine, keeper, "Stopped")

    async def _tell(self, engine: Engine, keeper: KeeperClient, drilling: Drilling | None) -> None:
        from dormouse.runtime.telling import keep_telling

        try:
            await keep_telling(engine, keeper, lambda: None if drilling is None else drilling.result)
        except Exception:  # noqa: BLE001 - a mistake in a status must not end the life
            _log.exception("no more reports of the executions")

    async def _until_done(self, engine: Engine, life: Life) -> None:
        """Return when the one thing that this pod was made for is done; else go on for ever."""
        with self._step("replay"):
            await engine.recovered()
        if self._trace is not None:
            self._trace.recovered(life)
        self._api.engine = engine
        start = self._settings.start
        if start is None:
            await asyncio.Event().wait()
            return
        # Never twice: also not when the code has lost the workflow, or an old manifest had another input.
        if engine.read.recorded(MAIN) is None:
            await engine.start_encoded(start.workflow, start.payload, execution_id=MAIN)
        await engine.refuse_more_once_all_closed()

    # The end. Hibernation will be a third reason to end well, decided from the engine's standing.

    async def _end_well(self, engine: Engine, keeper: KeeperClient, reason: str) -> Ending:
        engine.refuse_more()
        self._api.engine = None
        self._api.not_ready = "this life is ending; ask again, the next one will answer"
        facts = {"epoch": str(self._settings.pod.epoch)}
        main = engine.read.recorded(MAIN)
        if reason == "Completed" and main is not None:
            facts["result"] = "succeeded" if main.status == Status.COMPLETED else "failed"
            if self._settings.codec is None:  # what is encrypted is not for the status of a pod
                facts |= _outcome_of((await engine.outcome(MAIN))[1])
        sealing = asyncio.create_task(_close_and_seal(engine, keeper, reason))
        try:
            seconds = self._settings.grace_seconds * SHARE_OF_GRACE
            facts["position"] = await leave(sealing, keeper, self._told_to_stop, seconds)
        except NotSealed as error:
            return Ending(reason, str(error), 1)
        return Ending(reason, "everything is in the store", 0, facts)


def _trace_of(telemetry: OpenTelemetry, settings: Settings) -> LifeTrace:
    from dormouse.life_trace import Life as Incarnation
    from dormouse.runtime.life_trace import LifeTrace

    pod = settings.pod
    life = Incarnation(pod.namespace, pod.name, pod.workflow_uid, pod.epoch)
    return LifeTrace(telemetry, life, sends_root=not settings.operator_sends_life)


def _outcome_of(last: Event) -> dict[str, str]:
    """What a person wants to know of it, as far as a termination message has room."""
    payload = last.payload or b"null"
    if last.kind == Kind.EXECUTION_COMPLETED:
        return {"output": _cut(payload)}
    failure = decode_failure(payload)
    return {"error": _cut(f"{failure.type}: {failure.message}".encode())}


def _cut(text: bytes) -> str:
    kept = text[:_SHOWN_BYTES].decode(errors="ignore")
    # A control character would take six bytes of the little room.
    shown = "".join(each if each.isprintable() or each == "\n" else " " for each in kept)
    return shown if len(text) <= _SHOWN_BYTES else f"{shown}…"


async def _close_and_seal(engine: Engine, keeper: KeeperClient, reason: str) -> str:
    await engine.close()
    return await keeper.seal(reason)
