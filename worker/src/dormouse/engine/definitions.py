"""What is a workflow, what is an activity? The two decorators and what they make of a function."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sqlite3
import sys
import weakref
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, Unpack, cast, overload

import msgspec

from dormouse.engine.annotations import hints_of, refuse_unwritable
from dormouse.engine.arguments import Arguments, bound_to
from dormouse.engine.info import running_directly
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.messages import Approval, Message, Query, Signal, Update, messages_of
from dormouse.engine.options import (
    ActivityOptions,
    ChildOptions,
    GivenActivityOptions,
    GivenChildOptions,
    changed_options,
    refuse_unknown,
)
from dormouse.engine.payload import decoder, encode
from dormouse.engine.retry import RetryPolicy
from dormouse.engine.source import source_of
from dormouse.errors import InvalidDefinition, NotInWorkflow

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", Signal[Any], Query[Any], Update[Any, Any], Approval[Any])
Called: TypeAlias = Coroutine[object, None, R]  # with Any, mypy would lose the types of gather(one(), other())


class _Definition:
    """A function whose annotations are checked as soon as all their names are known."""

    kind: ClassVar[str]
    name: str
    function: Callable[..., Any]
    checked: bool

    def check(self) -> None:
        """Raises InvalidDefinition when an annotation has no JSON form, or names what does not exist."""
        if self.checked:
            return
        try:
            self._check()
        except NameError as error:
            raise InvalidDefinition(
                f"the {self.kind} {self.name}: an annotation cannot be read, because {error}; "
                "define or import it where the function is, also at run time"
            ) from error

    def _check(self) -> None:
        refuse_unwritable(self.kind, self.function, self._given)
        self.checked = True

    @property
    def _given(self) -> str | None:
        """The parameter that the engine fills."""
        return None

    def _check_or_later(self) -> None:
        try:
            self._check()
        except NameError:
            _unchecked.add(self)


_unchecked: weakref.WeakSet[_Definition] = weakref.WeakSet()


def check_what_was_unknown() -> None:
    """Check the definitions that named something which was not there yet; all modules are imported by now."""
    for definition in list(_unchecked):
        try:
            definition._check()
        except NameError:
            if "<locals>" not in definition.function.__qualname__:  # what is local to a function is never found
                definition.check()
            continue
        _unchecked.discard(definition)


class Workflow(_Definition, Generic[P, R]):
    """A workflow's function and how its input and result are read."""

    kind = "workflow"

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> None:
        if not inspect.iscoroutinefunction(function):
            raise InvalidDefinition(f"@workflow needs an `async def`; {function!r} is not one")
        parameters = list(inspect.signature(function).parameters.values())
        if len(parameters) > 1 or any(one.kind is not one.POSITIONAL_OR_KEYWORD for one in parameters):
            raise InvalidDefinition(
                f"the workflow {function.__name__} must take no parameter or one; "
                "put several values into a dataclass or a msgspec Struct"
            )
        functools.update_wrapper(self, function)
        self.checked = False
        self.function = function
        self.name = function.__name__
        self._parameter = parameters[0] if parameters else None
        self.child_options = ChildOptions()
        self._check_or_later()

    def with_options(self, **options: Unpack[GivenChildOptions]) -> Workflow[P, R]:
        """The same workflow, to be called by another one with other options: `id`, and `parent_close`, which says
        what becomes of it when its caller ends first: `"cancel"`, `"terminate"` or `"abandon"`.
        """
        refuse_unknown(ChildOptions, options)
        other = copy(self)
        other.child_options = replace(self.child_options, **options)
        return other

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called[R]:
        """In a workflow: start it as an execution of its own and give its result. Elsewhere: just run it."""
        loop = asyncio._get_running_loop()
        if isinstance(loop, WorkflowLoop):
            payload = self.encode_input(args, kwargs)
            return cast("Called[R]", loop.host.call_child(self, payload, source_of(sys._getframe(1))))
        return cast("Called[R]", self.function(*args, **kwargs))

    def encode_input(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
        """Write the input of one call.

        Raises:
            TypeError: when the function cannot be called like this, or a value has no JSON form.
        """
        bound = bound_to(self.name, inspect.signature(self.function), args, kwargs)
        return encode(next(iter(bound.arguments.values()))) if bound.arguments else None

    @functools.cached_property
    def messages(self) -> dict[tuple[str, str], Message]:
        return messages_of(self.function)

    def check_messages(self) -> None:
        """Raises InvalidDefinition when two of them cannot be told apart."""
        self.messages  # noqa: B018 - found, and kept

    def message(self, kind: type[M], name: str) -> M | None:
        """The signal, query or update of this name."""
        found = self.messages.get((kind.kind, name))
        return found if isinstance(found, kind) else None

    @property
    def takes_input(self) -> bool:
        return self._parameter is not None

    @property
    def needs_input(self) -> bool:
        return self._parameter is not None and self._parameter.default is self._parameter.empty

    @functools.cached_property
    def input_type(self) -> Any:
        return hints_of(self.function).get(self._parameter.name, Any) if self._parameter else None

    @functools.cached_property
    def input(self) -> msgspec.json.Decoder[Any]:
        return decoder(self.input_type)

    @functools.cached_property
    def result(self) -> msgspec.json.Decoder[Any]:
        return decoder(hints_of(self.function).get("return", Any))


def absent(name: str) -> Workflow[[], None]:
    """Stands in for a workflow that the code does not have any more."""

    async def nothing() -> None: ...

    nothing.__name__ = name
    return Workflow(nothing)


class Activity(_Definition, Generic[P, R]):
    """An activity's function, how it is retried, and how its arguments and result are read.

    Attributes:
        unlimited, read_result: as `options.unlimited` and, once it is checked, `result.decode`; Python has no quick
            way to what a property keeps.
    """

    kind = "activity"
    read_result: Callable[[bytes], Any]

    def __init__(
        self,
        function: Callable[P, Coroutine[Any, Any, R]] | Callable[P, R],
        options: ActivityOptions,
    ) -> None:
        functools.update_wrapper(self, function)
        self.checked = False
        self.function = function
        self.name = function.__name__
        self.is_async = inspect.iscoroutinefunction(function)
        self._run_with(options)
        self.arguments = Arguments(function)
        self._check_or_later()

    def _run_with(self, options: ActivityOptions) -> None:
        self.options, self.unlimited = options, options.unlimited

    def with_options(self, **options: Unpack[GivenActivityOptions]) -> Activity[P, R]:
        """The same activity, to be called with other options; those that are not given stay."""
        other = copy(self)
        other._run_with(changed_options(self.options, options))
        return other

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called[R]:
        """In a workflow: record the call, run it durably, give its result. Elsewhere: just run it."""
        loop = asyncio._get_running_loop()
        if isinstance(loop, WorkflowLoop):
            # Written at once: what the workflow changes in a list later is not part of this call.
            payload = self.arguments.encode(args, kwargs)
            called: Called[R] = loop.host.call(self, payload, source_of(sys._getframe(1)))
            return called
        return self._run(*args, **kwargs)

    async def _run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with running_directly(self.name):
            if self.is_async:
                return await cast("Callable[P, Coroutine[Any, Any, R]]", self.function)(*args, **kwargs)
            return await asyncio.to_thread(cast("Callable[P, R]", self.function), *args, **kwargs)

    def _check(self) -> None:
        super()._check()
        self.read_result = self.result.decode

    @functools.cached_property
    def result(self) -> msgspec.json.Decoder[Any]:
        return decoder(hints_of(self.function).get("return", Any))


class Transaction(Activity[P, R]):
    """An activity that writes into the user's own tables of the file, in the transaction that records its result.

    `function` takes the connection first.
    """

    kind = "transaction"

    def __init__(self, function: Callable[Concatenate[sqlite3.Connection, P], R], options: ActivityOptions) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        if inspect.iscoroutinefunction(function) or not parameters or parameters[0].kind not in _POSITIONAL:
            raise InvalidDefinition(
                f"the transaction {function.__name__} must be a `def` whose first parameter is the connection: it runs "
                "inside of the engine's own transaction, which waits for nothing"
            )
        if not options.unlimited:
            raise InvalidDefinition(f"the transaction {function.__name__}: it has no option but retry")
        self._connection = parameters[0].name
        super().__init__(cast("Callable[P, R]", function), options)
        self.arguments = Arguments(function, given=1)

    def with_options(self, **options: Unpack[GivenActivityOptions]) -> Transaction[P, R]:
        """The same transaction, to be called with another `retry`."""
        if options.keys() - {"retry"}:
            raise InvalidDefinition(f"the transaction {self.name}: it has no option but retry")
        return cast("Transaction[P, R]", super().with_options(**options))

    @property
    def _given(self) -> str:
        return self._connection

    async def _run(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: ARG002 - as an activity's
        raise NotInWorkflow(
            f"the transaction {self.name} runs in a workflow only; in a test call `{self.name}.function` with a "
            "connection of its own"
        )


class TransactionDecorator(Protocol):
    """What `@transaction(...)` with options is."""

    def __call__(self, function: Callable[Concatenate[sqlite3.Connection, P], R], /) -> Transaction[P, R]: ...


class ActivityDecorator(Protocol):
    """What `@activity(...)` with options is."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Activity[P, R]: ...


def workflow(function: Callable[P, Coroutine[Any, Any, R]]) -> Workflow[P, R]:
    """Declare a workflow: a deterministic `async def` that calls activities, sleeps, gathers.

    It may run again from its log at any time, so it must do nothing but that: no I/O, no clock, no chance
    (`dormouse.now`, `uuid4` and `random` replace them).
    """
    return Workflow(function)


@overload
def activity(function: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
@overload
def activity(function: Callable[P, R], /) -> Activity[P, R]: ...
@overload
def activity(**options: Unpack[GivenActivityOptions]) -> ActivityDecorator: ...


def activity(function: Callable[..., Any] | None = None, /, **options: Unpack[GivenActivityOptions]) -> Any:
    """Declare an activity: a function with effects, `async` or not, that runs at least once and is retried.

    Args:
        function: what is decorated.
        **options: `retry`: how it is tried again after an exception; by default for ever, after 1, 2, 4 ... 60
            seconds. `start_to_close_seconds`: how long one attempt may take. `schedule_to_close_seconds`: how long
            all attempts together may take. `heartbeat_seconds`: how long an attempt may go without a `heartbeat`.
    """
    given = changed_options(ActivityOptions(), options)

    def declare(function: Callable[..., Any]) -> Activity[..., Any]:
        return Activity(function, given)

    return declare if function is None else declare(function)


@overload
def transaction(function: Callable[Concatenate[sqlite3.Connection, P], R], /) -> Transaction[P, R]: ...
@overload
def transaction(*, retry: RetryPolicy) -> TransactionDecorator: ...


def transaction(function: Callable[..., Any] | None = None, /, *, retry: RetryPolicy | None = None) -> Any:
    """Declare a transaction: a short `def` that reads and writes tables of yours in the workflow's own file.

    What it writes and its result are committed together: both once, or neither. Nothing else goes on meanwhile.

    Args:
        function: what is decorated. Its first parameter is a `sqlite3.Connection` to the file.
        retry: how it is tried again after an exception, whatever it had written being taken back.
    """

    def declare(function: Callable[..., Any]) -> Transaction[..., Any]:
        return Transaction(function, ActivityOptions(retry=RetryPolicy() if retry is None else retry))

    return declare if function is None else declare(function)
