"""What can be said to a running workflow? Signals, queries, updates and approvals: their names and types."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from math import inf
from types import ModuleType
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload

import msgspec

from dormouse.engine.clock import SECOND
from dormouse.engine.decision import Decision
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.payload import decoder, encode
from dormouse.engine.reachable import cell_values, code_of
from dormouse.engine.source import source_of
from dormouse.errors import InvalidDefinition, InvalidInput, NotInWorkflow

T = TypeVar("T")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])
Answer: TypeAlias = Callable[[T], R] | Callable[[T], Coroutine[Any, Any, R]]


class _Message:
    kind: str
    name: str

    def _decoder(self, kind: Any) -> msgspec.json.Decoder[Any]:
        try:
            return decoder(kind)
        except TypeError as error:
            raise InvalidDefinition(f"the {self.kind} {self.name!r}: JSON cannot express {kind}: {error}") from error

    def _host(self) -> Any:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, WorkflowLoop):
            raise NotInWorkflow(
                f"only a workflow can use the {self.kind} {self.name!r} itself; from outside, use its handle"
            )
        return loop.host


class Signal(_Message, Generic[T]):
    """Something that the outside tells a workflow, which takes it when it likes.

    Each signal is recorded, waits until the workflow receives it, and is received once, in the order of arrival.

    Args:
        name: as senders call it.
        kind: the type of what it carries; without it, it carries nothing.
    """

    kind = "signal"

    @overload
    def __init__(self: Signal[None], name: str) -> None: ...
    @overload
    def __init__(self, name: str, kind: type[T]) -> None: ...

    def __init__(self, name: str, kind: Any = None) -> None:
        self.name = name
        self.value_type = kind
        self.value = self._decoder(kind)

    def receive(self) -> Coroutine[object, None, T]:
        """Wait for the next one and give what it carries."""
        return cast("Coroutine[object, None, T]", self._host().receive(self, source_of(sys._getframe(1))))


class Query(_Message, Generic[R]):
    """Something that the outside asks a workflow, which changes nothing.

    Args:
        name: as those who ask call it.
        result: the type of the answer.
    """

    kind = "query"

    def __init__(self, name: str, result: type[R]) -> None:
        self.name = name
        self.result = self._decoder(result)

    def answer(self, function: Callable[[], R]) -> Callable[[], R]:
        """Answer by this function from now on; it must not wait for anything."""
        self._host().mailbox.answer_query(self.name, function)
        return function


class Update(_Message, Generic[T, R]):
    """Something that the outside asks a workflow to do, and waits for the result.

    Each update is recorded and done once.

    Args:
        name: as those who ask call it.
        kind: the type of what it carries.
        result: the type of the answer.
    """

    kind = "update"

    def __init__(self, name: str, kind: type[T], result: type[R]) -> None:
        self.name = name
        self.value_type = kind
        self.value = self._decoder(kind)
        self.result = self._decoder(result)

    @overload
    def answer(
        self, function: Callable[[T], Coroutine[Any, Any, R]], *, check: Callable[[T], object] | None = ...
    ) -> Callable[[T], Coroutine[Any, Any, R]]: ...
    @overload
    def answer(self, function: Callable[[T], R], *, check: Callable[[T], object] | None = ...) -> Callable[[T], R]: ...

    def answer(self, function: Any, *, check: Callable[[T], object] | None = None) -> Any:
        """Answer by this function from now on.

        Args:
            function: does what is asked; `async` or not.
            check: raises when an update is to be refused; what it refuses leaves no trace.
        """
        self._host().mailbox.answer_update(self.name, function, check)
        return function


class Approval(_Message, Generic[T]):
    """Something that a workflow does only once somebody has approved of it.

    Args:
        name: as those who decide call it.
        kind: the type of what they decide on.
    """

    kind = "approval"

    def __init__(self, name: str, kind: type[T]) -> None:
        self.name = name
        self.value_type = kind
        self.value = self._decoder(kind)

    def request(self, value: T, *, within_seconds: float | None = None) -> Coroutine[object, None, Decision]:
        """Ask for approval of this very value, and wait for the decision.

        Whoever decides names the digest of the request, so nobody approves of what they have not seen, and nothing is
        approved twice.

        Args:
            value: what is to be decided on.
            within_seconds: how long it may take; then the outcome is `expired`. Without it there is no end.
        """
        if within_seconds is not None and not 0 < within_seconds < inf:
            raise InvalidDefinition(f"within_seconds must be a number above 0, not {within_seconds}")
        within = None if within_seconds is None else round(within_seconds * SECOND)
        host, payload = self._host(), encode(value)
        if not host.replaying:  # what was asked before counts, whatever its type is by now
            self._check(payload)
        requested = host.request(self, payload, within, source_of(sys._getframe(1)))
        return cast("Coroutine[object, None, Decision]", requested)

    def decode(self, value: msgspec.Raw | bytes) -> T:
        """The `value` of a request for this approval, as its type."""
        decoded: T = self.value.decode(value)
        return decoded

    def _check(self, payload: bytes) -> None:
        try:
            self.value.decode(payload)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the value of the approval {self.name!r} does not fit its type: {error}") from error


_KINDS = (Signal, Query, Update, Approval)
Message = Signal[Any] | Query[Any] | Update[Any, Any] | Approval[Any]


def messages_of(function: Callable[..., Any]) -> dict[tuple[str, str], Message]:
    """The messages that this function knows by a name of its module or of the functions around it, and those that it
    uses as `module.name`, by kind and name.

    Raises:
        InvalidDefinition: when two of a kind have one name.
    """
    found: dict[tuple[str, str], Message] = {}
    for one in (*function.__globals__.values(), *cell_values(function), *_of_modules(function)):
        if isinstance(one, _KINDS) and found.setdefault((one.kind, one.name), one) is not one:
            raise InvalidDefinition(f"two {one.kind}s of {function.__module__} are named {one.name!r}; rename one")
    return found


def _of_modules(function: Callable[..., Any]) -> Iterator[Any]:
    """What the code names of the modules that it names."""
    for code, names in code_of(function):
        named = (*code.co_names, *code.co_freevars)
        modules = [names[one] for one in named if isinstance(names.get(one), ModuleType)]
        yield from (vars(module)[one] for module in modules for one in code.co_names if one in vars(module))


def name_of(definition: Any) -> str:
    """Of a workflow or a message, or the name that was given in its place."""
    return definition if isinstance(definition, str) else str(definition.name)


def not_done_yet(execution_id: str, update: str, key: str) -> TimeoutError:
    """Says how to ask again for the result of an update that takes longer."""
    return TimeoutError(
        f"execution {execution_id!r} has not done the update {update!r} yet; "
        f"send the same again with the idempotency key {key!r} for its result"
    )
