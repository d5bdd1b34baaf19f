"""What may be asked of an execution that has begun? Messages to it, and its end or its return, from outside."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dormouse.engine.approvals import Approvals
from dormouse.engine.calls import ApprovalCall, ChildCall
from dormouse.engine.database import Database
from dormouse.engine.definitions import Workflow
from dormouse.engine.dormancy import Dormancy
from dormouse.engine.ending import End, Status
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Event, Journal, Kind
from dormouse.engine.mailbox import Outcome, give
from dormouse.engine.messages import Query, Signal, Update
from dormouse.engine.payload import decode_failure, text_of
from dormouse.engine.querying import Row
from dormouse.engine.registry import Registry
from dormouse.engine.replay import recover, replay
from dormouse.engine.requests import check_text
from dormouse.engine.turns import Turns
from dormouse.engine.unknown_fields import refuse_unknown_fields, with_fields
from dormouse.errors import (
    AnswerFailed,
    DormouseError,
    ExecutionBlocked,
    ExecutionClosed,
    InvalidInput,
    NotRetryable,
    PayloadTooLarge,
    RequestConflict,
    UnknownExecution,
    UnknownMessage,
    UnknownWorkflow,
)

Remake = Callable[[Row, Journal], Execution]
"""Makes the execution of a row, without its code having begun."""


class Control:
    """Each of these waits until what it asked for counts."""

    def __init__(
        self,
        turns: Turns,
        registry: Registry,
        dormancy: Dormancy,
        database: Database,
        workflows: Mapping[str, Workflow[..., Any]],
        remake: Remake,
    ) -> None:
        self._turns = turns
        self._registry = registry
        self._dormancy = dormancy
        self._database = database
        self._workflows = workflows
        self._remake = remake
        self.approvals = Approvals(self._message, self._find, turns, database)

    # Messages. Their values are canonical JSON.

    async def signal(self, execution_id: str, name: str, payload: bytes, key: str | None) -> None:
        check_text("the idempotency key", key)
        signal = self._message(execution_id, Signal, name)
        _check_value("signal", name, signal, payload)

        def decide(at: int, answer: asyncio.Future[None]) -> None:
            row_key, execution = self._find(execution_id)
            if key is not None and self._is_known(row_key, execution, key, Kind.SIGNAL_RECEIVED, name, payload):
                pass  # it was received before
            else:
                self._open(execution_id, execution).signalled(name, payload, key, at)
            self._answer(answer, None)

        await self._turns.ask(decide)

    async def update(self, execution_id: str, name: str, payload: bytes, key: str | None) -> bytes:
        """Give the result, as JSON."""
        check_text("the idempotency key", key)
        update = self._message(execution_id, Update, name)
        value = _check_value("update", name, update, payload)
        key = key or secrets.token_hex(16)

        def decide(at: int, answer: asyncio.Future[Outcome]) -> None:
            row_key, execution = self._find(execution_id)
            if self._is_known(row_key, execution, key, Kind.UPDATE_ACCEPTED, name, payload):
                running = self._registry.find(execution_id)  # also one that has ended, while the file has not heard
                run = None if running is None else running.execution.mailbox.updates.get(key)
            else:
                if self._open(execution_id, execution).has_unheard_update:
                    self._turns.ask_again(decide, answer)  # its check must see what the earlier ones have done
                    return
                _check_update(self._open(execution_id, execution), name, value)
                run = self._open(execution_id, execution).updated(name, payload, key, at)
            if run is None:
                self._answer(answer, self._recorded_outcome(row_key, execution_id, key))
            elif run.outcome is None:
                run.waiting.append(answer)
            else:
                self._answer(answer, run.outcome)

        outcome: Outcome = await self._turns.ask(decide)
        if outcome.kind == Kind.UPDATE_FAILED:
            failure = decode_failure(outcome.payload)
            raise AnswerFailed(name, failure.type, failure.message)
        return outcome.payload

    async def query(self, execution_id: str, name: str) -> bytes:
        """Give the answer, as JSON. An execution that has ended answers from its log.

        It rests on what counts, because the code has heard of nothing else: so it waits for no commit.
        """
        self._message(execution_id, Query, name)

        def decide(_: int, answer: asyncio.Future[bytes]) -> None:
            try:
                value: bytes | DormouseError = self._ask(execution_id, name)
            except DormouseError as refusal:
                value = refusal
            give(answer, value)

        result: bytes = await self._turns.ask(decide)
        return result

    def _ask(self, execution_id: str, name: str) -> bytes:
        _, execution = self._find(execution_id)
        if execution is not None:
            return _ask(execution, name)
        execution = self._replayed(execution_id)
        try:
            return _ask(execution, name)
        finally:
            execution.dispose()

    # Its end, and its return.

    async def cancel(self, execution_id: str, reason: str) -> None:
        check_text("the reason", reason)

        def decide(at: int, answer: asyncio.Future[None]) -> None:
            _, execution = self._find(execution_id)
            if self._status(execution_id) == Status.CANCELLED:
                pass  # it was asked before
            elif not self._open(execution_id, execution).is_asked_to_cancel:
                self._open(execution_id, execution).cancel(reason, at)
            self._answer(answer, None)

        await self._turns.ask(decide)

    async def terminate(self, execution_id: str, reason: str) -> None:
        check_text("the reason", reason)

        def decide(at: int, answer: asyncio.Future[None]) -> None:
            _, execution = self._find(execution_id)
            if self._status(execution_id) != Status.TERMINATED:
                self._open(execution_id, execution).terminate(reason, at)
            self._answer(answer, None)

        await self._turns.ask(decide)

    async def retry(self, execution_id: str) -> None:
        def decide(at: int, answer: asyncio.Future[None]) -> None:
            _, execution = self._find(execution_id)
            row = self._row(execution_id)
            if execution is not None and execution.blocked is not None:
                why = execution.blocked.message
                raise NotRetryable(f"execution {execution_id!r} is blocked, and a retry would not change that: {why}")
            if execution is not None or row is None or row.closed_position is None:
                raise NotRetryable(f"execution {execution_id!r} goes on by itself: it has not ended")
            if row.status == Status.COMPLETED:
                raise NotRetryable(f"execution {execution_id!r} has completed: there is nothing to do again")
            if row.workflow not in self._workflows:
                raise UnknownWorkflow(f"the code has no workflow {row.workflow!r}; bring it back first")
            self._reopen(row, at)
            self._answer(answer, None)

        await self._turns.ask(decide)

    def _reopen(self, row: Row, at: int) -> None:
        """Run its code over its log up to the failure, and go on from there. What it waits for is reopened too."""
        assert row.closed_position is not None  # noqa: S101 - it has ended
        turns, journal = self._turns, self._turns.journal
        events = self._database.events(row.closed_position)
        execution = self._remake(row, journal)
        execution.log.last_position = turns.log_ends[row.key] = row.closed_position
        execution.log.record(Kind.EXECUTION_RETRIED, max(event.command or 0 for event in events), at=at)
        self._registry.add(execution).started.set_result(None)
        journal.batch.changed.append(execution)
        journal.batch.add(recover(execution, journal, [*events, journal.batch.events[-1]], {}))
        journal.batch.requested += [one for one in execution.pending.values() if isinstance(one, ApprovalCall)]
        for child in [one for one in execution.pending.values() if isinstance(one, ChildCall)]:
            self._reopen_child(execution, child, at)

    def _reopen_child(self, parent: Execution, call: ChildCall, at: int) -> None:
        row = self._row(call.child_id)
        if self._registry.find(call.child_id) or row is None or row.closed_position is None:
            return
        if row.status == Status.COMPLETED:
            ending = self._database.event(row.closed_position)
            parent.child_ended(call.command, End(Kind.EXECUTION_COMPLETED, ending.payload or b"null"), at)
        elif row.workflow in self._workflows:
            self._reopen(row, at)

    # How.

    def _answer(self, answer: asyncio.Future[Any], value: Any) -> None:
        self._turns.journal.batch.answers.append((answer, value))

    def _status(self, execution_id: str) -> Status | None:
        """Also of one whose end is not written yet."""
        running = self._registry.find(execution_id)
        row = None if running is not None else self._row(execution_id)
        return running.execution.status if running is not None else None if row is None else row.status

    def _open(self, execution_id: str, execution: Execution | None) -> Execution:
        if execution is None:
            status = self._status(execution_id)
            retry = "" if status == Status.COMPLETED else ", or retry this one"
            raise ExecutionClosed(f"execution {execution_id!r} has ended as {status}; start a new one{retry}")
        return execution

    def _row(self, execution_id: str) -> Row | None:
        return self._database.execution(execution_id)

    def _message(self, execution_id: str, kind: Any, name: str) -> Any:
        running = self._registry.find(execution_id)
        row = None if running else self._row(execution_id)
        if running is None and row is None:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        workflow = running.execution.workflow.name if running else row.workflow if row else ""
        definition = self._workflows.get(workflow)
        message = None if definition is None else definition.message(kind, name)
        if message is None:
            known = [] if definition is None else [one for of, one in definition.messages if of == kind.kind]
            there_are = ", ".join(known) or "none"
            raise UnknownMessage(f"the workflow {workflow} has no {kind.kind} {name!r}; there are: {there_are}")
        return message

    def _find(self, execution_id: str) -> tuple[int, Execution | None]:
        """Its key, and itself while it is open."""
        running = self._dormancy.find(execution_id)
        if running is not None:
            execution = running.execution
            return execution.key, None if execution.status.closed else execution
        row = self._row(execution_id)
        if row is None:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        return row.key, None

    def _is_known(
        self, row_key: int, execution: Execution | None, key: str, kind: Kind, name: str, payload: bytes
    ) -> bool:
        """Whether this very message was taken before."""
        before = None if execution is None else _before(execution, key)
        if before is None:
            event = self._database.message(row_key, key)
            before = None if event is None else (Kind(event.kind), event.name or "", event.payload or b"null")
        if before is not None and before != (kind, name, payload):
            raise RequestConflict("this idempotency key belongs to another message; use a new one for a new message")
        return before is not None

    def _recorded_outcome(self, row_key: int, execution_id: str, key: str) -> Outcome:
        accepted = self._database.message(row_key, key)
        ended = self._database.answer(row_key, key)
        if ended is None and accepted is not None and accepted.command is not None:
            ended = self._end_of(execution_id, accepted)
        if ended is None:
            raise ExecutionClosed(f"execution {execution_id!r} ended before the update was done")
        return Outcome(ended.kind, ended.payload or b"null")

    def _end_of(self, execution_id: str, accepted: Event) -> Event | None:
        """Of an update that an earlier version took: its answer has no key."""
        row = self._row(execution_id)
        events = self._database.events(row.closed_position) if row and row.closed_position else []
        ends = {Kind.UPDATE_COMPLETED, Kind.UPDATE_FAILED}
        return next((one for one in events if one.kind in ends and one.command == accepted.command), None)

    def _replayed(self, execution_id: str) -> Execution:
        row = self._row(execution_id)
        if row is None or row.closed_position is None:
            raise ExecutionClosed(f"execution {execution_id!r} has just ended; ask again")
        scratch = Journal(row.closed_position + 1)
        execution = self._remake(row, scratch)
        replay(execution, scratch, self._database.events(row.closed_position)[:-1])
        return execution


def _before(execution: Execution, key: str) -> tuple[Kind, str, bytes] | None:
    signal = execution.mailbox.signals.get(key)
    if signal is not None:
        return Kind.SIGNAL_RECEIVED, *signal
    update = execution.mailbox.updates.get(key)
    return None if update is None else (Kind.UPDATE_ACCEPTED, update.name, update.payload)


def _check_value(kind: str, name: str, message: Signal[Any] | Update[Any, Any], payload: bytes) -> Any:
    try:
        refuse_unknown_fields(message.value_type, payload)
        return message.value.decode(payload)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"the value of the {kind} {name} does not fit: {with_fields(message.value_type, error)}"
        ) from error


def _check_update(execution: Execution, name: str, value: Any) -> None:
    if execution.blocked is not None:
        raise ExecutionBlocked(f"execution {execution.id!r} is blocked: {execution.blocked.message}")
    try:
        answered = execution.check_update(name, value)
    except DormouseError:
        raise
    except BaseException as error:  # the user's code only looks here, and nobody else is to suffer from it
        raise InvalidInput(f"the update {name} was refused: {text_of(error)}") from error
    if not answered:
        raise UnknownMessage(f"execution {execution.id!r} does not answer the update {name!r} now")


def _ask(execution: Execution, name: str) -> bytes:
    if execution.blocked is not None:
        raise ExecutionBlocked(f"execution {execution.id!r} is blocked: {execution.blocked.message}")
    try:
        answer = execution.query(name)
    except BaseException as error:  # as above
        if isinstance(error, DormouseError) and not isinstance(error, PayloadTooLarge):
            raise
        raise AnswerFailed(name, type(error).__name__, text_of(error)) from error
    if answer is None:
        raise UnknownMessage(f"execution {execution.id!r} does not answer the query {name!r} now")
    return answer
