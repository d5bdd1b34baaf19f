"""How is a workflow started, and what became of it? The engine: one file, one writer, many executions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import msgspec

from dormouse.engine.clock import Clock, SystemClock
from dormouse.engine.control import Control
from dormouse.engine.definitions import Workflow
from dormouse.engine.durability import Durability, LocalOnly
from dormouse.engine.ending import error_of
from dormouse.engine.figures import Figures, figures
from dormouse.engine.guard import guard
from dormouse.engine.handle import Handle
from dormouse.engine.journal import Event, Kind
from dormouse.engine.listing import wanted
from dormouse.engine.lock import FileLock
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.outcomes import Before, Run
from dormouse.engine.payload import decode_failure, encode
from dormouse.engine.querying import Row
from dormouse.engine.records import know_records
from dormouse.engine.requests import by_name, page_begins
from dormouse.engine.retention import Retention
from dormouse.engine.sealing import Codec
from dormouse.engine.standing import Standing
from dormouse.engine.tracing import Telemetry
from dormouse.engine.wiring import Settings, wired
from dormouse.errors import (
    EngineStopped,
    ExecutionBlocked,
    NotInWorkflow,
    UnknownExecution,
)

if TYPE_CHECKING:
    from dormouse.runtime.views import ApprovalsView, ExecutionsView

Input = TypeVar("Input")
R = TypeVar("R")
_NO_INPUT: Any = object()


class Engine:
    """Runs workflows durably in one SQLite file.

    Use it as an async context manager: entering it replays what an earlier process left open, leaving it stops
    what runs; the next engine on the same file goes on from there.

    Args:
        path: the SQLite file; it is created when it is missing.
        workflows: a module whose workflows are offered, or the workflows themselves.
        durability: when a commit counts; by default when it is on the local disk. Anything else means that
            someone else replicates the file, and checkpoints it.
        identity: what idempotency keys begin with; by default a random one that stays with the file.
        clock: what time it is.
        activities_at_once: how many attempts run at the same time.
        threads: how many activities that are not async run at the same time.
        app_version: of the code; each execution remembers which one started it.
        blocked_loop_seconds: how long the event loop may stand still before a warning says where.
        all_counts: what the file holds counts already, so work goes on from it without waiting for `durability`.
        resting_in_memory: how many executions that wait for long stay in memory; the others are only in the file,
            and replayed when a timer or a message comes.
        codec: in whose form payloads are stored, such as `dormouse.encryption.AesGcm`. The file can only be opened
            with it from then on.
        retention: which closed executions are deleted; without one, none is.
        telemetry: what is told of executions and attempts, such as `dormouse.telemetry.OpenTelemetry`.
        around_attempts: wraps the running of each attempt's function: a place for faults of tests.
        before_attempt: until when an attempt has to wait before it begins; None when it may at once.
    """

    def __init__(
        self,
        path: Path | str,
        workflows: ModuleType | Iterable[Workflow[..., Any]],
        *,
        durability: Durability | None = None,
        identity: str | None = None,
        clock: Clock | None = None,
        activities_at_once: int = 1000,
        threads: int = 32,
        app_version: str | None = None,
        blocked_loop_seconds: float = 1.0,
        all_counts: bool = False,
        resting_in_memory: int = 256,
        codec: Codec | None = None,
        retention: Retention | None = None,
        telemetry: Telemetry | None = None,
        around_attempts: Callable[[Run], Run] | None = None,
        before_attempt: Before | None = None,
    ) -> None:
        self.workflows = by_name(workflows)
        self._settings = Settings(
            path=Path(path),
            workflows=self.workflows,
            durability=durability or LocalOnly(),
            replicated=durability is not None,
            identity=identity,
            clock=clock or SystemClock(),
            activities_at_once=activities_at_once,
            threads=threads,
            app_version=app_version,
            blocked_loop_seconds=blocked_loop_seconds,
            all_counts=all_counts,
            resting_in_memory=resting_in_memory,
            codec=codec,
            retention=retention,
            telemetry=telemetry,
            around_attempts=around_attempts,
            before_attempt=before_attempt,
        )
        self._lock = FileLock(self._settings.path)
        self._keeping: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False
        self._closed = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        guard(WorkflowLoop)
        know_records()
        self._lock.take()
        try:
            self._parts = parts = wired(self._settings)
        except BaseException:
            self._lock.release()
            raise
        self._database, self._registry, self._turns = parts.database, parts.registry, parts.turns
        self.read = parts.reading
        self._turns.failure.add_done_callback(lambda _: self._wake_all())
        try:
            await parts.recovery.all()
        except BaseException:
            await self.close()
            raise
        parts.dormancy.consider(running.execution for running in parts.registry)
        if parts.keeping is not None:
            self._keeping = asyncio.create_task(parts.keeping.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Starting.

    @overload
    async def start(
        self,
        workflow: Callable[[], Coroutine[Any, Any, R]],
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handle[R]: ...
    @overload
    async def start(
        self,
        workflow: Callable[[Input], Coroutine[Any, Any, R]],
        input: Input,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handle[R]: ...
    @overload
    async def start(
        self,
        workflow: str,
        input: Any = ...,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handle[Any]: ...

    async def start(
        self,
        workflow: Any,
        input: Any = _NO_INPUT,  # noqa: A002
        *,
        id: str | None = None,  # noqa: A002
        idempotency_key: str | None = None,
    ) -> Handle[Any]:
        """Start an execution and return once the start counts.

        The same id, or the same idempotency key, with the same workflow and input gives the execution that was
        started before.

        Raises:
            UnknownWorkflow, InvalidInput, RequestConflict, EngineStopped: with what to do.
        """
        name = workflow if isinstance(workflow, str) else getattr(workflow, "name", repr(workflow))
        payload = None if input is _NO_INPUT else encode(input)
        return await self.start_encoded(name, payload, execution_id=id, idempotency_key=idempotency_key)

    async def start_encoded(
        self,
        name: str,
        payload: bytes | None,
        *,
        execution_id: str | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> Handle[Any]:
        """As `start`, with the input as canonical JSON, and the trace in which it was asked for."""
        await self.recovered()
        if self._draining:
            raise EngineStopped("this life is ending; ask again, the next one will answer")
        tracing = self._parts.tracing
        if traceparent is None and tracing is not None:
            traceparent = tracing.present()
        started, created = await self._parts.starting.start(name, payload, execution_id, idempotency_key, traceparent)
        self._check()
        return Handle(started, created=created, engine=self)

    # Asking. What is shown has the form that the HTTP API and its clients give it.

    async def executions(
        self,
        *,
        status: str | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> ExecutionsView:
        """The newest executions, all or those of a status and a workflow; `after` is the `next` of the last page."""
        from dormouse.runtime.views import executions_view

        await self.recovered()
        before = None if after is None else page_begins(after)
        return executions_view(self.read.describe_newest(limit + 1, wanted(status, workflow), before=before), limit)

    async def approvals(self, *, limit: int = 100, after: str | None = None) -> ApprovalsView:
        """What workflows wait to be approved of, the oldest first; `after` is the `next` of the last page."""
        from dormouse.runtime.views import approvals_view

        await self.recovered()
        begins = 0 if after is None else page_begins(after)
        return approvals_view(self.read.approvals(limit + 1, after=begins), limit)

    async def resume(self) -> int:
        """Let all paused executions go on, those that a fork has from its source; how many there were."""
        await self.control()
        return await self._parts.pausing.resume_all()

    async def result(self, execution_id: str) -> Any:
        """Wait for an execution's end and give its result.

        Raises:
            ExecutionFailed: when the workflow raised; or, of the same family, ExecutionCancelled, ExecutionTerminated.
            ExecutionBlocked: when the present code cannot go on with it.
            UnknownExecution, EngineStopped: with what to do.
        """
        row, event = await self.outcome(execution_id)
        payload = event.payload or b"null"
        if event.kind != Kind.EXECUTION_COMPLETED:
            raise error_of(execution_id, event.kind, decode_failure(payload))
        definition = self.workflows.get(row.workflow)
        return definition.result.decode(payload) if definition else msgspec.json.decode(payload)

    async def outcome(self, execution_id: str) -> tuple[Row, Event]:
        """Wait for an execution's end and give its row and its last event. Raises as `result`."""
        await self.recovered()
        running, row = self._registry.find(execution_id), self._database.execution(execution_id)
        key = running.execution.key if running is not None else None if row is None else row.key
        if key is None:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        if running is not None or key in self._registry.dormant or key in self._registry.paused:
            await self._registry.end_of(key)
            self._check()
            blocked = self._registry.blocked(key)
            if blocked is not None:
                raise ExecutionBlocked(f"execution {execution_id!r} is blocked: {blocked.message}")
        row = self._database.execution(execution_id)
        if row is None or row.closed_position is None:
            raise UnknownExecution(f"the execution {execution_id!r} has ended, and was deleted since or retried")
        return row, self._database.event(row.closed_position)

    def standing(self) -> Standing:
        """How many executions do what, and whether this life may rest."""
        return self.read.standing()

    def figures(self) -> Figures:
        """How things stand and what was done so far, in numbers."""
        return figures(self._registry, self._turns, self._database)

    async def moved(self) -> None:
        """Wait until the executions may do something else than when this was asked last."""
        await self._turns.moved.wait()
        self._turns.moved.clear()

    def look_again(self) -> None:
        """Let who waits for `moved` look: something beside the executions is new."""
        self._turns.moved.set()

    async def settled(self, *, though_attempts_run: bool = False) -> None:
        """Wait until nothing runs, waits to be written or to count: only timers, retries and messages can come now.

        It returns as well when the engine cannot write any more.

        Args:
            though_attempts_run: do not wait for the attempts that run, only for all that follows from what has ended.
        """
        await self._turns.settled(though_attempts_run=though_attempts_run)

    @property
    def failure(self) -> asyncio.Future[BaseException]:
        """Resolves when the engine cannot write any more."""
        return self._turns.failure

    async def recovered(self) -> None:
        """Wait until what an earlier life left in the file counts."""
        self._check_loop()
        await self._turns.recovered.wait()
        self._check()

    async def refuse_more_once_all_closed(self) -> None:
        """Wait until no execution is open, and take no new ones from that very moment."""
        while True:
            await self._registry.empty()
            self._check()
            if self._registry.is_empty:
                self._draining = True
                return

    # Telling. Values are canonical JSON here; a handle takes and gives typed ones.

    @overload
    def handle(self, id: str) -> Handle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R]) -> Handle[R]: ...

    def handle(self, id: str, workflow: Workflow[..., Any] | None = None) -> Handle[Any]:  # noqa: A002, ARG002
        """The handle of an execution that was started before; `workflow` says of which type its result is."""
        return Handle(id, created=False, engine=self)

    async def control(self) -> Control:
        """What executions can be asked, once what an earlier life left in the file counts."""
        await self.recovered()
        if self._draining:
            raise EngineStopped("this life is ending; ask again, the next one will answer")
        return self._parts.control

    async def resume_one(self, execution_id: str) -> None:
        """Let one go on; see `Handle.resume`."""
        await self.control()
        row = self._database.execution(execution_id)
        if row is None:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        await self._parts.pausing.resume(row.key)

    # Ending.

    def refuse_more(self) -> None:
        """Take no new executions from now on."""
        self._draining = True

    async def close(self) -> None:
        """Stop what runs, record what has already ended, make it as safe as it can be, close the file."""
        if self._closed:
            return
        self._closed = self._draining = True
        if self._keeping is not None:
            self._keeping.cancel()
        try:
            await self._turns.stop()
        finally:
            self._wake_all()
            for running in self._registry:
                running.execution.dispose()
            self._database.close()
            self._lock.release()

    def _wake_all(self) -> None:
        self._turns.recovered.set()
        self._registry.wake_all()

    def _check_loop(self) -> None:
        """What belongs to one event loop is not to be used from another: nobody would be woken."""
        if self._loop is None:
            raise EngineStopped("the engine has not begun; use it inside of `async with Engine(...) as engine`")
        if asyncio.get_running_loop() is self._loop:
            return
        if isinstance(asyncio.get_running_loop(), WorkflowLoop):
            raise NotInWorkflow("a workflow must not use the engine itself; await the other workflow, or an @activity")
        raise NotInWorkflow(
            "this engine runs on another event loop than this code; from another thread use "
            "asyncio.run_coroutine_threadsafe(..., loop of the engine), or dormouse.client over HTTP"
        )

    def _check(self) -> None:
        if self._turns.failure.done():
            error = self._turns.failure.result()
            raise EngineStopped(f"the engine cannot write any more: {error!r}") from error
        if self._closed:
            raise EngineStopped("the engine has stopped; the next one on this file goes on from here")
