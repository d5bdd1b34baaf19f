"""How is a workflow started, and what became of it? The engine: one file, one writer, many executions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Generic, Self, TypeVar, cast, overload

import msgspec

from dormouse.engine.clock import Clock, SystemClock
from dormouse.engine.database import Database, Request, Row
from dormouse.engine.definitions import Workflow, absent
from dormouse.engine.durability import Durability, LocalOnly
from dormouse.engine.execution import Execution, Status
from dormouse.engine.journal import Batch, Event, Kind
from dormouse.engine.mismatch import blocked_by_absence
from dormouse.engine.payload import decode_failure, encode
from dormouse.engine.registry import Registry, Running
from dormouse.engine.requests import by_name, check_id, check_input, fingerprint
from dormouse.engine.standing import Standing, Waiting, standing_of, waiting_of
from dormouse.engine.turns import Turns, tell
from dormouse.errors import (
    EngineStopped,
    ExecutionBlocked,
    ExecutionFailed,
    RequestConflict,
    UnknownExecution,
    UnknownWorkflow,
)

Input = TypeVar("Input")
R = TypeVar("R")
_NO_INPUT: Any = object()


@dataclass(frozen=True)
class Handle(Generic[R]):
    """A started execution.

    Attributes:
        id: its id.
        created: False when the same request had started it before.
    """

    id: str
    created: bool
    _engine: Engine

    async def result(self) -> R:
        """Wait for its end and give its result."""
        return cast("R", await self._engine.result(self.id))


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
        all_counts: what the file holds counts already, so work goes on from it without waiting for `durability`.
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
        all_counts: bool = False,
    ) -> None:
        self.workflows = by_name(workflows)
        self._path = Path(path)
        self._durability = durability or LocalOnly()
        self._replicated = durability is not None
        self._identity = identity
        self._clock = clock or SystemClock()
        self._activities_at_once = activities_at_once
        self._threads = threads
        self._all_counts = all_counts
        self._draining = False
        self._closed = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._registry = Registry()
        self._database = Database(self._path, checkpoints=not self._replicated)
        self._turns = Turns(
            self._database,
            self._durability,
            self._clock,
            self._identity or self._database.identity(),
            activities_at_once=self._activities_at_once,
            threads=self._threads,
            counts=self._registry.counts,
            all_counts=self._all_counts,
        )
        self._turns.failure.add_done_callback(lambda _: self._wake_all())
        recovered: asyncio.Future[None] = loop.create_future()
        # In a callback, because executions have tasks of their own and one task cannot run inside another.
        loop.call_soon(self._recover, recovered)
        try:
            await recovered
        except BaseException:
            await self.close()
            raise
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
        self, name: str, payload: bytes | None, *, execution_id: str | None = None, idempotency_key: str | None = None
    ) -> Handle[Any]:
        """As `start`, with the input as canonical JSON."""
        await self.recovered()
        if self._draining:
            raise EngineStopped("this life is ending; ask again, the next one will answer")
        definition = self.workflows.get(name)
        if definition is None:
            raise UnknownWorkflow(f"there is no workflow {name!r}; there are: {', '.join(self.workflows) or 'none'}")
        check_input(definition, payload)
        check_id(execution_id)
        request = Request(fingerprint(name, payload), idempotency_key)
        existing = self._find(execution_id, idempotency_key)
        if existing is not None:
            return await self._existing(*existing, request, execution_id)
        execution = self._execution(
            self._turns.journal.reserve(), execution_id or secrets.token_hex(8), definition, secrets.token_bytes(16)
        )
        running = self._registry.add(execution, request)
        self._turns.start(execution, payload, request)
        await asyncio.shield(running.started)
        self._check()
        return Handle(execution.id, True, self)

    def _find(self, execution_id: str | None, idempotency_key: str | None) -> tuple[str, bytes] | None:
        """Id and fingerprint of the execution that the key or else the id stands for."""
        running: Running | None = None
        row: Row | None = None
        if idempotency_key is not None:
            running = self._registry.find_by_key(idempotency_key)
            row = None if running else self._database.execution_of_request(idempotency_key)
        if execution_id is not None and running is None and row is None:
            running = self._registry.find(execution_id)
            row = None if running else self._database.execution(execution_id)
        if running is not None:
            return running.execution.id, running.request.fingerprint
        return None if row is None else (row.id, row.request)

    async def _existing(
        self, found_id: str, found_fingerprint: bytes, request: Request, asked_id: str | None
    ) -> Handle[Any]:
        if found_fingerprint != request.fingerprint or asked_id not in (None, found_id):
            raise RequestConflict(
                f"this id or idempotency key belongs to the execution {found_id!r}, which was started with "
                "another workflow, input or id; use a new one for a new request"
            )
        running = self._registry.find(found_id)
        if running is not None:
            await asyncio.shield(running.started)
            self._check()
        return Handle(found_id, False, self)

    # Asking.

    async def result(self, execution_id: str) -> Any:
        """Wait for an execution's end and give its result.

        Raises:
            ExecutionFailed: when the workflow raised.
            ExecutionBlocked: when the present code cannot go on with it.
            UnknownExecution, EngineStopped: with what to do.
        """
        row, event = await self.outcome(execution_id)
        payload = event.payload or b"null"
        if event.kind == Kind.EXECUTION_FAILED:
            failure = decode_failure(payload)
            raise ExecutionFailed(execution_id, failure.type, failure.message, failure.source)
        definition = self.workflows.get(row.workflow)
        return definition.result.decode(payload) if definition else msgspec.json.decode(payload)

    async def outcome(self, execution_id: str) -> tuple[Row, Event]:
        """Wait for an execution's end and give its row and its last event. Raises as `result`."""
        await self.recovered()
        running = self._registry.find(execution_id)
        if running is not None:
            await asyncio.shield(running.ended)
            self._check()
            if running.execution.blocked is not None:
                raise ExecutionBlocked(f"execution {execution_id!r} is blocked: {running.execution.blocked.message}")
        row = self._database.execution(execution_id)
        if row is None:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        assert row.closed_position is not None  # noqa: S101 - it has ended, and is not blocked
        return row, self._database.event(row.closed_position)

    def recorded(self, execution_id: str) -> Row | None:
        """An execution as the file holds it, whether or not that counts yet."""
        return self._database.execution(execution_id)

    def describe(self, execution_id: str) -> Row:
        """An execution, as far as it counts."""
        row = self._database.execution(execution_id)
        if row is None or row.key > self._turns.durable_position:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        return self._as_it_counts(row)

    def describe_newest(self, limit: int, *, before: int | None = None) -> list[Row]:
        """The newest executions, as far as they count; `before` is the key of the one that the last page ended with."""
        newest = self._turns.durable_position
        rows = self._database.executions(newest if before is None else min(newest, before - 1), limit)
        return [self._as_it_counts(row) for row in rows]

    def ending(self, row: Row) -> Event | None:
        """The event that closed an execution."""
        return None if row.closed_position is None else self._database.event(row.closed_position)

    def waits_for(self, execution_id: str) -> list[Waiting]:
        """What an open execution waits for, as far as it counts."""
        running, turns = self._registry.find(execution_id), self._turns
        pending = running.execution.pending.values() if running is not None else ()
        return [waiting_of(one, turns.alarms.holds) for one in pending if one.position <= turns.durable_position]

    def history(self, execution_id: str, *, after: int = 0, limit: int = -1) -> list[Event]:
        """An execution's events, as far as they count."""
        row = self.describe(execution_id)
        last = row.closed_position or self._turns.log_ends[row.key]
        return self._database.events(last, after=after, up_to=self._turns.durable_position, limit=limit)

    def _as_it_counts(self, row: Row) -> Row:
        if row.closed_position is None or row.closed_position <= self._turns.durable_position:
            return row
        return msgspec.structs.replace(row, status=Status.OPEN, closed_at=None, closed_position=None)

    def standing(self) -> Standing:
        """How many executions do what, and whether this life may rest."""
        turns = self._turns
        return standing_of(
            (one.execution for one in self._registry),
            turns.alarms.holds,
            quiet=turns.quiet,
            busy_at=turns.busy_at,
            next_wake_at=turns.alarms.earliest(),
        )

    @property
    def failure(self) -> asyncio.Future[BaseException]:
        """Resolves when the engine cannot write any more."""
        return self._turns.failure

    async def recovered(self) -> None:
        """Wait until what an earlier life left in the file counts."""
        await self._turns.recovered.wait()
        self._check()

    async def refuse_more_once_all_closed(self) -> None:
        """Wait until no execution is open, and take no new ones from that very moment."""
        while True:
            await self._registry.empty()
            self._check()
            if not any(self._registry):
                self._draining = True
                return

    # Ending.

    def refuse_more(self) -> None:
        """Take no new executions from now on."""
        self._draining = True

    async def close(self) -> None:
        """Stop what runs, record what has already ended, make it as safe as it can be, close the file."""
        if self._closed:
            return
        self._closed = self._draining = True
        try:
            await self._turns.stop()
        finally:
            self._wake_all()
            for running in self._registry:
                running.execution.dispose()
            self._database.close()

    def _wake_all(self) -> None:
        self._turns.recovered.set()
        self._registry.wake_all()

    def _check(self) -> None:
        if self._turns.failure.done():
            error = self._turns.failure.result()
            raise EngineStopped(f"the engine cannot write any more: {error!r}") from error
        if self._closed:
            raise EngineStopped("the engine has stopped; the next one on this file goes on from here")

    # Going on after a restart.

    def _recover(self, recovered: asyncio.Future[None]) -> None:
        """Replay every open execution; what is left to do becomes the first batch."""
        try:
            left = Batch(recovered=True)
            for row in self._database.open_executions():
                left.add(self._recover_one(row))
        except Exception as error:  # noqa: BLE001 - it is handed to who waits
            recovered.set_exception(error)
            return
        self._turns.resume(left)
        recovered.set_result(None)

    def _recover_one(self, row: Row) -> Batch:
        definition = self.workflows.get(row.workflow)
        execution = self._execution(row.key, row.id, definition or absent(row.workflow), row.seed)
        running = self._registry.add(execution, Request(row.request, row.idempotency_key))
        running.started.set_result(None)
        if definition is None:
            execution.block(blocked_by_absence(row.workflow, list(self.workflows)))
        else:
            execution.replay(self._database.events(self._turns.log_ends[row.key]))
        left = self._turns.journal.take()
        if execution.blocked is not None:
            left = Batch()  # what the wrong code asked for must not get into the log
            execution.dispose()
            running.ended.set_result(None)
        if execution.blocked != row.blocked:
            left.changed.append(execution)
        elif execution.blocked is not None:
            tell(execution)  # again in each life: nobody reads the log of an earlier one
        return left

    def _execution(self, key: int, execution_id: str, definition: Workflow[..., Any], seed: bytes) -> Execution:
        return Execution(self._turns.journal, key, execution_id, definition, seed)
