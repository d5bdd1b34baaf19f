"""What can a workflow be made of? Programs as values: drawn at random, given to one workflow as its input.

The workflow interprets them by asyncio and the public API of Dormouse. What is asynchronous goes through `Api`, so that
the reference model runs the very same code without durability.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from random import Random
from typing import Any, NoReturn, Protocol

import msgspec

from dormouse import ExecutionFailed


class Node(msgspec.Struct, omit_defaults=True, frozen=True):
    """A piece of a program.

    Attributes:
        kind: how it is run, a key of `_HOW`.
        body: what it is made of.
        name: of an activity, or what is told of it.
        number: seconds, failures, or a variant.
    """

    kind: str
    body: tuple[Node, ...] = ()
    name: str = ""
    number: int = 0


class Program(msgspec.Struct, omit_defaults=True, frozen=True):
    """What an execution is given.

    Attributes:
        body: what it does.
        rounds: how often it continues as new.
    """

    body: Node
    rounds: int = 0


class Api(Protocol):
    """What a program needs beside asyncio."""

    def act(self, name: str, failures: int) -> Awaitable[str]: ...
    def receive(self) -> Awaitable[str]: ...
    def child(self, program: Program, parent_close: str, name: str) -> Awaitable[Any]: ...
    def chance(self) -> float: ...
    def answer_updates(self, answer: Callable[[int], Coroutine[Any, Any, int]]) -> None: ...
    def continue_as_new(self, program: Program) -> NoReturn: ...


class Failed(Exception):
    """What programs raise."""


async def whole(program: Program, api: Api) -> Any:
    """Run a program; beside it updates are answered."""
    total = 0

    async def answer(number: int) -> int:
        nonlocal total
        await api.act(f"update-{number}", 0)
        total += number
        return total

    api.answer_updates(answer)
    said = await interpret(program.body, api)
    if program.rounds:
        api.continue_as_new(Program(program.body, program.rounds - 1))
    return [said, total]


async def interpret(node: Node, api: Api) -> Any:
    """Run a piece of a program and say what became of it, in plain JSON values."""
    return await _HOW[node.kind](node, api)


async def caught(node: Node, api: Api) -> Any:
    """A failure is a result, so that it stays in its place."""
    try:
        return await interpret(node, api)
    except Exception as error:  # noqa: BLE001 - whatever a program raises
        return told(error)


def told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "group of " + ", ".join(sorted(told(one) for one in error.exceptions))
    if isinstance(error, ExecutionFailed):
        return f"{type(error).__name__} by {error.cause_type}"
    return f"{type(error).__name__}: {error}"


async def _act(node: Node, api: Api) -> Any:
    return await api.act(node.name, node.number)


async def _sleep(node: Node, _: Api) -> Any:
    await asyncio.sleep(node.number)
    return node.number


async def _seq(node: Node, api: Api) -> Any:
    return [await interpret(one, api) for one in node.body]


async def _gather(node: Node, api: Api) -> Any:
    found = await asyncio.gather(*(interpret(one, api) for one in node.body), return_exceptions=bool(node.number))
    return [told(one) if isinstance(one, BaseException) else one for one in found]


async def _wait(node: Node, api: Api) -> Any:
    """The first that are ready count; the others are cancelled, and may clean up."""
    when = (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED)[node.number % 3]
    tasks = [asyncio.ensure_future(interpret(one, api)) for one in node.body]
    done, _ = await asyncio.wait(tasks, return_when=when)
    said = [outcome(task) if task in done else "not wanted" for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return said


def outcome(task: asyncio.Task[Any]) -> Any:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return task.result() if error is None else told(error)


async def _each(node: Node, api: Api) -> Any:
    tasks = [asyncio.ensure_future(caught(one, api)) for one in node.body]
    return [await one for one in asyncio.as_completed(tasks)]


async def _group(node: Node, api: Api) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(interpret(one, api)) for one in node.body]
    return [task.result() for task in tasks]


async def _timeout(node: Node, api: Api) -> Any:
    try:
        async with asyncio.timeout(node.number):
            return await interpret(node.body[0], api)
    except TimeoutError:
        return "late"


async def _shield(node: Node, api: Api) -> Any:
    inner = asyncio.ensure_future(interpret(node.body[0], api))
    try:
        return await asyncio.shield(inner)
    except asyncio.CancelledError:
        await asyncio.wait([inner])
        raise


async def _try(node: Node, api: Api) -> Any:
    try:
        return await interpret(node.body[0], api)
    except Exception as error:  # noqa: BLE001 - whatever a program raises
        return [told(error), await interpret(node.body[1], api)]
    finally:
        if node.number:
            await caught(node.body[2], api)


async def _receive(_: Node, api: Api) -> Any:
    return await api.receive()


async def _child(node: Node, api: Api) -> Any:
    return await api.child(Program(node.body[0], rounds=node.number), "cancel", "")


async def _loose(node: Node, api: Api) -> Any:
    """Nobody waits for this child; what becomes of it is decided by the end of its parent."""
    how = ("cancel", "terminate", "abandon")[node.number % 3]
    loose = asyncio.ensure_future(api.child(Program(node.body[0]), how, f"{node.name}-{how}"))
    loose.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.sleep(1)
    return how


async def _lock(node: Node, api: Api) -> Any:
    lock, order = asyncio.Lock(), list[Any]()

    async def one_at_a_time(one: Node) -> None:
        async with lock:
            order.append(await caught(one, api))

    await asyncio.gather(*(one_at_a_time(one) for one in node.body))
    return order


async def _queue(node: Node, api: Api) -> Any:
    """Two workers share what there is to do."""
    todo, done = asyncio.Queue[Node](), list[Any]()
    for one in node.body:
        todo.put_nowait(one)

    async def work(name: int) -> None:
        while not todo.empty():
            done.append([name, await caught(todo.get_nowait(), api)])

    await asyncio.gather(work(1), work(2))
    return done


async def _event(node: Node, api: Api) -> Any:
    """The second begins once the first is over, however that ends."""
    over = asyncio.Event()

    async def first() -> Any:
        try:
            return await caught(node.body[0], api)
        finally:
            over.set()

    async def second() -> Any:
        await over.wait()
        return await interpret(node.body[1], api)

    return list(await asyncio.gather(first(), second()))


async def _raise(node: Node, _: Api) -> Any:
    raise Failed(node.name)


async def _chance(node: Node, api: Api) -> Any:
    return await interpret(node.body[int(api.chance() * len(node.body))], api)


async def _undo(node: Node, api: Api) -> Any:
    """Each step puts what undoes it on the stack; it is done unless all went well."""
    said = []
    async with AsyncExitStack() as undo:
        for number, one in enumerate(node.body):
            said.append(await interpret(one, api))
            undo.push_async_callback(api.act, f"{node.name}-undo-{number}", 0)
        undo.pop_all()
    return said


async def _cancel(node: Node, api: Api) -> Any:
    """Cancels what it has just begun, which may refuse once."""
    task = asyncio.ensure_future(interpret(node.body[0], api))
    await asyncio.sleep(node.number)
    task.cancel()
    await asyncio.wait([task])
    return outcome(task)


_HOW: dict[str, Callable[[Node, Api], Coroutine[Any, Any, Any]]] = {
    "act": _act,
    "sleep": _sleep,
    "seq": _seq,
    "gather": _gather,
    "wait": _wait,
    "each": _each,
    "group": _group,
    "timeout": _timeout,
    "shield": _shield,
    "try": _try,
    "receive": _receive,
    "child": _child,
    "loose": _loose,
    "lock": _lock,
    "queue": _queue,
    "event": _event,
    "raise": _raise,
    "chance": _chance,
    "undo": _undo,
    "cancel": _cancel,
}


# Drawing programs.

RACES = frozenset({"wait", "each", "group", "timeout", "receive", "loose", "queue", "lock", "cancel", "chance"})
"""What becomes of these depends on what happens first, or on chance."""
_BODIES = {
    "act": 0, "sleep": 0, "receive": 0, "raise": 0, "timeout": 1, "shield": 1, "child": 1, "loose": 1, "cancel": 1,
    "event": 2, "try": 3,
}  # fmt: skip


class Drawing:
    """Draws a program; each activity in it has a name of its own."""

    def __init__(self, chance: Random, *, races: bool, largest: int = 14) -> None:
        self._chance = chance
        self._kinds = [kind for kind in _HOW if races or kind not in RACES]
        self._races = races
        self._left = largest
        self._names = 0

    def program(self) -> Program:
        body = tuple(self.node(3) for _ in range(self._chance.randint(1, 3)))
        return Program(Node("seq", body), rounds=self._chance.choice((0, 0, 0, 1, 2)))

    def node(self, depth: int) -> Node:
        self._left -= 1
        leaf = depth == 0 or self._left <= 0
        kind = self._chance.choice(["act", "act", "sleep"] if leaf else [*self._kinds, "act", "act"])
        bodies = _BODIES.get(kind, self._chance.randint(1, 4))
        body = tuple(self.node(depth - 1) for _ in range(bodies))
        self._names += 1
        number = self._number(kind)
        return Node(kind, body, f"{kind}{self._names}", number)

    def _number(self, kind: str) -> int:
        if kind == "act":
            return self._chance.choice((0, 0, 0, 0, 1, 2, -1))
        if kind == "gather" and not self._races:
            return 1  # which of two failures comes first is a race
        return self._chance.randint(0, 3) if kind in ("try", "child") else self._chance.randint(0, 20)
