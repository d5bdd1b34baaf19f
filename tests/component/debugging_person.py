"""A person who types `dormouse debug`, and what was recorded for it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dormouse._commands import root
from dormouse.testing import Durable
from dormouse_observer.code import workflows_of

CODE = """\
from dormouse import Signal, activity, workflow

go = Signal("go", str)


@activity
async def double(number: int) -> int:
    return 2 * number


@workflow
async def debugged_part(number: int) -> int:
    return await double(number)


@workflow
async def debugged(number: int) -> int:
    first = await double(number)
    print("doubled to", first)
    second = await debugged_part(first)
    word = await go.receive()
    return second + len(word)
"""
ENDS = """\
import asyncio

from dormouse import activity, workflow


@activity
async def double(number: int) -> int:
    return 2 * number


@workflow
async def fails(number: int) -> int:
    await double(number)
    return 1 // number


@workflow
async def ends(number: int) -> int:
    doubled = await double(number)
    return doubled + 1


async def beside(number: int) -> int:
    return await double(number)


async def between(many: list[int], way: str) -> None:
    match way:
        case "gather":
            await asyncio.gather(*[beside(one) for one in many])
        case "group":
            async with asyncio.TaskGroup() as group:
                for one in many:
                    group.create_task(beside(one))
        case "wait":
            await asyncio.wait([asyncio.ensure_future(beside(one)) for one in many])
        case "wait_for":
            await asyncio.wait_for(beside(many[0]), 60)
        case "shield":
            await asyncio.shield(beside(many[0]))
        case "task":
            await asyncio.ensure_future(beside(many[0]))
    many.append(3)


@workflow
async def besides(way: str) -> None:
    many = [1, 2]
    await asyncio.gather(between(many, way))
    many.clear()


@workflow
async def mends(number: int) -> int:
    doubled = await asyncio.gather(divided(number), divided(1))
    try:
        await asyncio.gather(divided(number - 1))
    except ZeroDivisionError:
        doubled.append(number)
    return sum(doubled)


async def divided(number: int) -> int:
    doubled = await double(number)
    return doubled // number
"""
WAYS = ("gather", "group", "wait", "wait_for", "shield", "task")
OTHER = CODE.replace("    first = await double(number)\n", "    first = len(await go.receive())\n")
RAISING = CODE.replace("    first = await double(number)\n", "    first = 1 // 0\n")


def record_programs(folder: Path) -> None:
    """Write the code, what was recorded with it, and other code."""
    for name, text in {
        "debugged_code": CODE,
        "debugged_ends": ENDS,
        "debugged_other": OTHER,
        "debugged_raising": RAISING,
    }.items():
        (folder / f"{name}.py").write_text(text)

    async def record(code: str, **started: tuple[str, object]) -> Path:
        durable = Durable(folder)
        async with durable.engine(workflows_of(str(folder / code)).values()) as engine:
            for execution, (workflow, given) in started.items():
                await engine.start(workflow, given, id=execution)
            await engine.sleep(1)
        return durable.database

    asyncio.run(record("debugged_code.py", main=("debugged", 21))).rename(folder / "recorded.sqlite")
    besides = {way: ("besides", way) for way in WAYS}
    ended = record("debugged_ends.py", fails=("fails", 0), ends=("ends", 21), mends=("mends", 1), **besides)
    asyncio.run(ended).rename(folder / "ended.sqlite")


@dataclass(frozen=True)
class Ended:
    exit_code: object
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Person:
    """Types commands. Not click's runner, which has pdb ask the real terminal."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *command: str, typed: str = "") -> Ended:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            root(command, prog_name="dormouse")
        return Ended(ended.value.code, *self.capture.readouterr())

    def debugs(self, *arguments: str, typed: str = "", code: str = "debugged_code") -> Ended:
        file, module = str(self.folder / "recorded.sqlite"), str(self.folder / f"{code}.py")
        return self.run("debug", file, "--code", module, *arguments, typed=typed)

    def sees(self, *arguments: str, typed: str, code: str = "debugged_code") -> list[str]:
        """What is printed after each prompt."""
        ended = self.debugs("--execution", "main", *arguments, typed=typed, code=code)
        assert (ended.exit_code, ended.stderr) == (0, "")
        return [answer.strip() for answer in ended.stdout.split("(Pdb) ")]

    def position(self, kind: str) -> str:
        """Where the first event of a kind is."""
        events = json.loads(self.run("history", str(self.folder / "recorded.sqlite"), "main", "-o", "json").stdout)
        return str(next(event["position"] for event in events["events"] if event["kind"] == kind))
