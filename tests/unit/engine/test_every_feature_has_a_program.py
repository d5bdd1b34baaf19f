"""Is there a program for everything that a workflow can do? The kills of this folder run those programs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import FunctionType
from typing import Any, get_args

import pytest
from feature_programs import PROGRAMS, WORKFLOWS
from lives import Client, Life, World, kinds, live
from programs import Program

import dormouse
from dormouse import ActivityInfo, Approval, Decision, Handle, Query, RetryPolicy, Signal, Update, WorkflowInfo
from dormouse.engine.journal import Kind
from dormouse.engine.options import ActivityOptions, ChildOptions, ParentClose

ASYNCIO = ["sleep", "gather", "wait", "as_completed", "timeout", "TaskGroup", "Event", "Queue", "Lock", "shield"]
NAMES_OF_TYPES = {
    "Codec",
    "Retention",
    "Engine",
    "Handle",
    "Workflow",
    "Activity",
    "Transaction",
    "ActivityInfo",
    "WorkflowInfo",
}
NEEDS_A_FORK = {"resume"}  # which no program is: see test_pausing.py
CAUGHT_ONLY = {
    name for name in dormouse.__all__
    if inspect.isclass(value := getattr(dormouse, name)) and issubclass(value, Exception) and name != "RetryAfter"
}  # fmt: skip


def features() -> Iterator[tuple[str, str]]:
    """Each feature, and the word by which code that uses it is known."""
    for name in dormouse.__all__:
        if name not in NAMES_OF_TYPES | CAUGHT_ONLY:
            yield f"dormouse.{name}", name
    for name in ASYNCIO:
        yield f"asyncio.{name}", f"asyncio.{name}"
    for options in (ActivityOptions, ChildOptions, RetryPolicy):
        for field in fields(options):
            yield f"{options.__name__}.{field.name}", f"{field.name}="
    for info in (ActivityInfo, WorkflowInfo, Decision):
        for field in fields(info):
            yield f"{info.__name__}.{field.name}", f".{field.name}"
    for kind in (Handle, Signal, Query, Update, Approval):
        for name in vars(kind):
            if not name.startswith("_") and name not in NEEDS_A_FORK and callable(getattr(kind, name)):
                yield f"{kind.__name__}.{name}", f"{kind.__name__}.{name}"
    for how in get_args(ParentClose):
        yield f"parent_close={how}", repr(how)
    yield "task.cancel", ".cancel"
    yield "WorkflowInfo.should_continue_as_new", ".should_continue_as_new"
    yield "Update.answer(check=)", "check="


def words_of(function: FunctionType) -> set[str]:
    """`name`, `.attribute`, `keyword=`, `'string'`; and `asyncio.attribute`, `Signal.attribute`, `Handle.attribute`."""
    words: set[str] = set()
    module = function.__globals__
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        match node:
            case ast.Name(id=name):
                words.add(name)
                words.add(type(module.get(name)).__name__)
            case ast.Attribute(value=ast.Name(id=name), attr=word):
                of = {"asyncio": "asyncio", "handle": "Handle"}.get(name, type(module.get(name)).__name__)
                words |= {f".{word}", f"{of}.{word}"}
            case ast.Attribute(attr=word):
                words.add(f".{word}")
            case ast.keyword(arg=str(word)):
                words.add(f"{word}=")
            case ast.Constant(str(word)):
                words.add(repr(word))
    return words


def words_that_run(program: Program) -> set[str]:
    """Those of the client's script, and of all that it leads to in the modules of programs."""
    words, seen = set[str](), set[Any]()
    todo: list[Any] = [program.drive]
    while todo:
        function = inspect.unwrap(todo.pop())
        if function in seen or not inspect.isfunction(function):
            continue
        seen.add(function)
        found = words_of(function)
        words |= found
        around = [cell.cell_contents for cell in function.__closure__ or ()]
        called = [function.__globals__.get(word) for word in found]
        methods = [getattr(kind, word[1:], None) for word in found if word[0] == "." for kind in (Client, World)]
        todo += [one for one in around + called + methods if callable(one)]
    return words


TABLE = {
    feature: [name for name, program in PROGRAMS.items() if word in words_that_run(program)]
    for feature, word in features()
}


@pytest.mark.parametrize("feature", TABLE)
def test_the_feature_has_a_program(feature: str) -> None:
    assert TABLE[feature], f"no program uses {feature}: add one, so that kills are tried on it"


def test_every_kind_of_event_is_written_by_a_program(tmp_path: Path) -> None:
    written: set[str] = set()
    for name, program in PROGRAMS.items():
        path = tmp_path / f"{name}.sqlite"
        live(path, WORKFLOWS, program.drive, Life())
        written |= kinds(path)
    assert written == set(Kind)
