"""What does the log say of executions and attempts that go wrong?"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from dormouse import ActivityError, Engine, ExecutionBlocked, ExecutionFailed, RetryPolicy, Workflow, activity, workflow


@activity(retry=RetryPolicy(initial_seconds=0, attempts=2))
async def transcribe() -> None:
    raise ConnectionError("no\nline")


@workflow
async def listen() -> None:
    await transcribe()


@workflow
async def parse() -> None:
    json.loads("{")


@workflow
async def forget() -> None:
    transcribe()  # type: ignore[unused-coroutine]


def run(path: Path, definition: Workflow[[], Any], error: type[Exception]) -> Exception:
    async def live() -> Exception:
        async with Engine(path / "db.sqlite", [definition]) as engine:
            with pytest.raises(error) as caught:
                await (await engine.start(definition, id="one")).result()
        return caught.value

    return asyncio.run(live())


def lines(caplog: pytest.LogCaptureFixture, name: str, level: int = logging.INFO) -> list[tuple[int, str]]:
    return [(one.levelno, one.getMessage()) for one in caplog.records if one.name == name and one.levelno >= level]


def test_a_failed_execution_is_one_line_with_the_users_own_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = run(tmp_path, parse, ExecutionFailed)
    ((level, line),) = lines(caplog, "dormouse.execution")
    assert level == logging.ERROR
    source = f"test_telling.py:{parse.function.__code__.co_firstlineno + 2}"
    assert line.startswith("execution one failed: JSONDecodeError: Expecting property name")
    assert line.endswith(f"({source})")
    assert str(error).endswith(f"({source})")


def test_an_activity_that_failed_for_good_is_placed_where_the_workflow_awaited_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, listen, ExecutionFailed)
    ((_, line),) = lines(caplog, "dormouse.execution")
    assert ActivityError.__name__ in line
    assert "\n" not in line
    assert line.endswith(f"(test_telling.py:{listen.function.__code__.co_firstlineno + 2})")


def test_a_blocked_execution_is_one_warning_in_each_life(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        caplog.clear()
        run(tmp_path, forget, ExecutionBlocked)
        ((level, line),) = lines(caplog, "dormouse.execution")
        assert level == logging.WARNING
        assert line.startswith("execution one is blocked: the workflow returned but never awaited transcribe")


def test_a_planned_retry_is_one_line_and_only_the_last_attempt_shows_its_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, listen, ExecutionFailed)
    (_, planned), (_, last) = lines(caplog, "dormouse.activity")
    assert planned == "one/transcribe-1 attempt 1 failed: ConnectionError: no line; again in 0 s"
    assert last.startswith("one/transcribe-1 attempt 2 failed: ConnectionError: no line; it was the last\nTraceback")


def test_the_traceback_of_a_planned_retry_is_there_for_who_looks_closer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "dormouse.activity"):
        run(tmp_path, listen, ExecutionFailed)
    _, (level, detail), _ = lines(caplog, "dormouse.activity", logging.DEBUG)
    assert level == logging.DEBUG
    assert "in transcribe" in detail
