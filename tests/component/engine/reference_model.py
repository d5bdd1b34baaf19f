"""What should a program have asked for, and come to? The same program on asyncio's own loop, without durability.

The model is told what happened in the order that the log says, and nothing else of the log: what the program asked for
then, in which order and with which values, and what it came to, has to be what the log holds.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple, NoReturn

import msgspec
from random_programs import Program, whole

from dormouse.engine.clock import SECOND
from dormouse.engine.ending import error_of
from dormouse.engine.journal import CLOSINGS, COMMANDS, Event, Kind
from dormouse.engine.payload import Failure, decode_failure, encode
from dormouse.errors import ActivityError, ExecutionFailed

_BITS_OF_NUMBERS = 20


class Decision(NamedTuple):
    """What the program asked for, or gave up."""

    kind: str
    number: int | None
    at: int
    payload: bytes | None = None
    due: int | None = None
    child: str | None = None


class Continued(BaseException):
    """The program begins anew."""


class _Loop(asyncio.BaseEventLoop):
    """asyncio's own queue of callbacks, tasks and futures; only time is the model's."""

    def __init__(self, model: Model, first_task: int) -> None:
        super().__init__()
        self._model = model
        self._tasks = first_task

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        self._tasks += 1
        return _Task(self._tasks, coro, loop=self, **options)

    def time(self) -> float:
        return self._model.moment / SECOND

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        number = self._model.next_number()
        timer = _Timer(self._model, number, when, callback, args, self, context)
        self._model.pending[number] = timer
        due = max(self._model.moment, round(when * SECOND))
        self._model.decisions.append(Decision(Kind.TIMER_SET, number, self._model.moment, due=due))
        return timer

    def _timer_handle_cancelled(self, _: Any) -> None: ...

    def run_all(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        asyncio._set_running_loop(self)
        try:
            while ready:
                callback = ready.popleft()
                if not callback.cancelled():
                    callback._run()
        finally:
            asyncio._set_running_loop(None)

    def ring(self, timer: asyncio.TimerHandle) -> None:
        self._ready.append(timer)  # type: ignore[attr-defined]


class _Task(asyncio.Task[Any]):
    """TaskGroup keeps tasks in a set: so that the order of a set repeats itself, they hash by their number."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class _Timer(asyncio.TimerHandle):
    def __init__(self, model: Model, number: int, when: float, *args: Any) -> None:
        super().__init__(when, *args)
        self._model = model
        self._number = number

    def cancel(self) -> None:
        if not self.cancelled():
            super().cancel()
            self._model.gave_up(Kind.TIMER_CANCELLED, self._number)


class _Call(asyncio.Future[Any]):
    def __init__(self, model: Model, number: int, cancelled: Kind, child_id: str = "") -> None:
        super().__init__(loop=model.loop)
        self._model = model
        self._number = number
        self._cancelled_as = cancelled
        self.child_id = child_id

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self._model.gave_up(self._cancelled_as, self._number)
        return True


class Model:
    """One run of a program; its `Api` too.

    Args:
        events: the log of the run.
        execution_id: of which execution.
        seed: of its chance.
    """

    def __init__(self, events: Sequence[Event], execution_id: str, seed: bytes) -> None:
        first = events[0]
        self.moment = first.at
        self.decisions: list[Decision] = []
        self.pending: dict[int, _Timer | _Call] = {}
        self.loop = _Loop(self, first.execution << _BITS_OF_NUMBERS)
        self.main: asyncio.Task[Any] | None = None
        self._id = execution_id
        self._numbers = first.command or 0
        self._random = Random(seed + str(first.command or "").encode())
        self._answer: Callable[[int], Coroutine[Any, Any, int]] | None = None
        self._signals = asyncio.Queue[str]()
        self._cancel_requested = False
        self._closed = False
        self.unheard: list[Event] = []
        for event in events:
            if event.kind in COMMANDS | CLOSINGS:
                continue
            if self._over:
                self.unheard.append(event)
            else:
                self._tell(event)
                self.loop.run_all()

    @property
    def _over(self) -> bool:
        return self.main is not None and self.main.done()

    def close(self) -> None:
        """Let go of what has not come to an end."""
        self._closed = True
        asyncio._set_running_loop(self.loop)
        closed = set[asyncio.Task[Any]]()
        while begun := asyncio.all_tasks(self.loop) - closed:  # what a `finally` begins is let go of too
            for task in begun:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                coroutine: Any = task.get_coro()
                with suppress(Exception):  # what a `finally` raises that is let go of
                    coroutine.close()
            closed |= begun
        asyncio._set_running_loop(None)
        self.loop.close()

    # What happens to it.

    def _tell(self, event: Event) -> None:
        payload = event.payload or b"null"
        if event.kind in (Kind.EXECUTION_STARTED, Kind.EXECUTION_CONTINUED):
            program = msgspec.json.decode(payload, type=Program)
            self.main = self.loop.create_task(whole(program, self))
        elif event.kind == Kind.SIGNAL_RECEIVED:
            self._passes(event)
            self._signals.put_nowait(msgspec.json.decode(payload))
        elif event.kind == Kind.UPDATE_ACCEPTED:
            self._passes(event)
            self.loop.create_task(self._answer_update(self.next_number(), int(payload)))
        elif event.kind == Kind.CANCEL_REQUESTED:
            self._passes(event)
            if not self._cancel_requested and self.main is not None:
                self._cancel_requested = True
                self.main.cancel()
        elif event.kind == Kind.EXECUTION_RETRIED:
            self._passes(event)
            self._numbers = max(self._numbers, event.command or 0)  # none is given twice
        elif event.kind != Kind.ATTEMPT_FAILED and (ended := self.pending.pop(event.command or 0, None)) is not None:
            self._passes(event)
            self._end(ended, event, payload)

    def _passes(self, event: Event) -> None:
        self.moment = max(self.moment, event.at)

    def _end(self, ended: _Timer | _Call, event: Event, payload: bytes) -> None:
        if isinstance(ended, _Timer):
            self.loop.ring(ended)
        elif event.kind == Kind.ACTIVITY_COMPLETED:
            ended.set_result(msgspec.json.decode(payload))
        elif event.kind == Kind.ACTIVITY_FAILED:
            failure = decode_failure(payload)
            ended.set_exception(ActivityError("act", failure.type, failure.message, event.attempt or 0, event.command))
        elif event.kind == Kind.CHILD_COMPLETED:
            ended.set_result(msgspec.json.decode(payload))
        else:
            ended.set_exception(error_of(ended.child_id, event.name or "", decode_failure(payload), event.command))

    async def _answer_update(self, number: int, value: int) -> None:
        assert self._answer is not None
        try:
            result = await self._answer(value)
        except Exception:  # noqa: BLE001 - it is the sender who hears of it
            self.decisions.append(Decision(Kind.UPDATE_FAILED, number, self.moment))
        else:
            self.decisions.append(Decision(Kind.UPDATE_COMPLETED, number, self.moment, encode(result)))

    # What it asks for.

    def next_number(self) -> int:
        if self._closed:
            raise GeneratorExit  # a `finally` of what is let go of
        self._numbers += 1
        return self._numbers

    def gave_up(self, kind: Kind, number: int) -> None:
        if self.pending.pop(number, None) is not None:
            self.decisions.append(Decision(kind, number, self.moment))

    async def act(self, name: str, failures: int) -> str:
        number = self.next_number()
        call = self.pending[number] = _Call(self, number, Kind.ACTIVITY_CANCELLED)
        self.decisions.append(Decision(Kind.ACTIVITY_SCHEDULED, number, self.moment, encode([name, failures])))
        return str(await call)

    async def receive(self) -> str:
        return await self._signals.get()

    async def child(self, program: Program, parent_close: str, name: str) -> Any:  # noqa: ARG002
        number = self.next_number()
        child_id = f"{self._id}-{name}" if name else f"{self._id}.{number}"
        call = self.pending[number] = _Call(self, number, Kind.CHILD_CANCELLED, child_id)
        self.decisions.append(Decision(Kind.CHILD_STARTED, number, self.moment, encode(program), child=child_id))
        return await call

    def chance(self) -> float:
        return self._random.random()

    def answer_updates(self, answer: Callable[[int], Coroutine[Any, Any, int]]) -> None:
        self._answer = answer

    def continue_as_new(self, program: Program) -> NoReturn:
        raise Continued(program)

    # What it came to.

    def signals_left(self) -> list[str]:
        """Those that nobody has received: the next round gets them."""
        left = [self._signals.get_nowait() for _ in range(self._signals.qsize())]
        late = [event.payload or b"null" for event in self.unheard if event.kind == Kind.SIGNAL_RECEIVED]
        return left + [msgspec.json.decode(payload) for payload in late]

    def end(self) -> tuple[str, bytes | tuple[str, str] | None] | None:
        """As a log says it; None while it goes on."""
        main = self.main
        if main is None or not main.done():
            return None
        if main.cancelled():
            if self._cancel_requested:
                return Kind.EXECUTION_CANCELLED, None
            return Kind.EXECUTION_FAILED, ("CancelledError", "the workflow cancelled itself")
        error = main.exception()
        if isinstance(error, Continued):
            return Kind.EXECUTION_CONTINUED, None
        if error is not None:
            return Kind.EXECUTION_FAILED, (type(error).__name__, str(error))
        return Kind.EXECUTION_COMPLETED, encode(main.result())


def end_in_log(events: Sequence[Event]) -> tuple[str, bytes | tuple[str, str] | None] | None:
    """How the log says that the run ended."""
    last = events[-1]
    if last.kind not in CLOSINGS:
        return None
    if last.kind == Kind.EXECUTION_FAILED:
        failure: Failure = decode_failure(last.payload or b"null")
        return last.kind, (failure.type, failure.message)
    return last.kind, last.payload if last.kind == Kind.EXECUTION_COMPLETED else None


def decisions_in_log(events: Sequence[Event]) -> list[Decision]:
    """What the log says that the code asked for."""
    with_value = {Kind.ACTIVITY_SCHEDULED, Kind.CHILD_STARTED, Kind.UPDATE_COMPLETED}
    return [
        Decision(
            event.kind,
            event.command,
            event.at,
            event.payload if event.kind in with_value else None,
            event.due,
            event.key if event.kind == Kind.CHILD_STARTED else None,
        )
        for event in events
        if event.kind in COMMANDS
    ]


# Without any disturbance.


def plainly(program: Program) -> Any:
    """What a program without races comes to, whatever happens on the way: run as an ordinary coroutine."""
    loop = _Jumping()
    try:
        return loop.run_until_complete(_last_round(program))
    finally:
        loop.close()


async def _last_round(program: Program) -> Any:
    return await whole(Program(program.body), _Plain())


class _Jumping(asyncio.SelectorEventLoop):
    """Where others wait, its clock goes on."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = selectors.DefaultSelector()
        select = selector.select

        def jump(timeout: float | None = None) -> list[Any]:
            self._now += timeout or 0
            return select(0)

        selector.select = jump  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self._now


class _Plain:
    """Everything is done at once."""

    async def act(self, name: str, failures: int) -> str:
        if failures < 0:
            raise ActivityError("act", "Hopeless", name, 1)
        return name.upper()

    async def receive(self) -> str:
        raise NotImplementedError("that would be a race")

    async def child(self, program: Program, parent_close: str, name: str) -> Any:  # noqa: ARG002
        try:
            return await _last_round(program)
        except Exception as error:
            raise ExecutionFailed("", type(error).__name__, str(error)) from error

    def chance(self) -> float:
        raise NotImplementedError("that would be a race")

    def answer_updates(self, answer: Callable[[int], Coroutine[Any, Any, int]]) -> None: ...

    def continue_as_new(self, program: Program) -> NoReturn:
        raise NotImplementedError("only the last round counts")
