"""Is one trace told of what an execution does, however often it is replayed or restarted?"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dormouse import (
    Engine,
    ExecutionFailed,
    RetryPolicy,
    Signal,
    Workflow,
    activity,
    activity_info,
    transaction,
    workflow,
)
from dormouse.telemetry import OpenTelemetry
from dormouse.testing.faults import Failing, Faults

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
go_on = Signal("go_on")


@activity(retry=RetryPolicy(initial_seconds=0))
async def pack(item: str) -> str:
    with tracer().start_as_current_span("wrap"):
        await asyncio.sleep(0)
    if activity_info().attempt == 1:
        raise ConnectionError("no paper")
    return item


@activity
def weigh(item: str) -> int:
    with tracer().start_as_current_span("put on the scales"):
        return len(item)


@activity(start_to_close_seconds=0.01, retry=RetryPolicy(attempts=1))
async def hangs() -> None:
    await asyncio.Event().wait()


@workflow
async def ship(item: str) -> str:
    await weigh(item)
    await go_on.receive()
    return await pack(item)


@workflow
async def delivers(item: str) -> int:
    return await weighs.with_options(id="child")(item)


@workflow
async def weighs(item: str) -> int:
    return await weigh(item)


@workflow
async def waits_in_vain() -> None:
    await hangs()


@workflow
async def naps() -> int:
    await asyncio.sleep(3600)
    return await weigh("nap")


ALL: list[Workflow[..., Any]] = [ship, delivers, weighs, waits_in_vain, naps]
_tracers: list[trace.Tracer] = []


def tracer() -> trace.Tracer:
    return _tracers[-1]


class World:
    """Where spans end up."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.telemetry = OpenTelemetry(SimpleSpanProcessor(self.exporter), service_name="shop", service_version="7")
        _tracers[:] = [self.telemetry.provider.get_tracer("shop")]

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span(self, name: str, number: int = 0) -> ReadableSpan:
        return [span for span in self.spans if span.name == name][number]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.telemetry:
        yield made


def live(path: Path, world: World, scenario: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL, telemetry=world.telemetry) as engine:
            await engine.recovered()
            return await scenario(engine)

    return asyncio.run(run())


async def begin(engine: Engine) -> None:
    await engine.start_encoded("ship", b'"tea"', execution_id="one", traceparent=TRACEPARENT)
    await engine.settled()


async def finish(engine: Engine) -> None:
    await engine.handle("one").signal(go_on)
    assert await engine.handle("one").result() == "tea"


async def begin_and_finish(engine: Engine) -> None:
    await begin(engine)
    await finish(engine)


def ids(span: ReadableSpan) -> tuple[int, int, int | None]:
    return span.context.trace_id, span.context.span_id, span.parent.span_id if span.parent else None


def test_an_execution_is_a_span_of_its_callers_trace_and_its_attempts_are_within(tmp_path: Path, world: World) -> None:
    live(tmp_path, world, begin_and_finish)
    assert world.names() == ["put on the scales", "weigh", "wrap", "pack", "wrap", "pack", "ship"]
    execution = world.span("ship")
    assert ids(execution)[::2] == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert execution.parent is not None
    assert execution.parent.is_remote
    for attempt in (world.span("weigh"), world.span("pack"), world.span("pack", 1)):
        assert ids(attempt)[::2] == (execution.context.trace_id, execution.context.span_id)
    assert {span.context.trace_id for span in world.spans} == {execution.context.trace_id}
    assert len({span.context.span_id for span in world.spans}) == len(world.spans)
    assert dict(execution.attributes or {}) == {
        "dormouse.execution": "one",
        "dormouse.workflow": "ship",
        "dormouse.status": "Completed",
    }
    assert (execution.resource.attributes["service.name"], execution.resource.attributes["service.version"]) == (
        "shop",
        "7",
    )


def test_the_codes_own_spans_are_within_its_attempt_also_in_a_thread(tmp_path: Path, world: World) -> None:
    live(tmp_path, world, begin_and_finish)
    assert ids(world.span("put on the scales"))[2] == world.span("weigh").context.span_id
    assert [ids(world.span("wrap", number))[2] for number in (0, 1)] == [
        world.span("pack", number).context.span_id for number in (0, 1)
    ]


def test_an_attempt_that_failed_says_why(tmp_path: Path, world: World) -> None:
    live(tmp_path, world, begin_and_finish)
    failed, succeeded = world.span("pack"), world.span("pack", 1)
    assert (failed.status.status_code, failed.status.description) == (
        trace.StatusCode.ERROR,
        "ConnectionError: no paper",
    )
    assert failed.events[0].attributes == {"exception.type": "ConnectionError", "exception.message": "no paper"}
    assert succeeded.status.is_ok
    assert [(span.attributes or {})["dormouse.attempt"] for span in (failed, succeeded)] == [1, 2]


def test_an_attempt_that_took_too_long_and_the_execution_that_fails_by_it_say_so(tmp_path: Path, world: World) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(ExecutionFailed):
            await (await engine.start(waits_in_vain)).result()

    live(tmp_path, world, scenario)
    assert "took too long" in str(world.span("hangs").status.description)
    assert "hangs failed after 1 attempt" in str(world.span("waits_in_vain").status.description)


@pytest.mark.parametrize("restarts", [0, 1, 3])
def test_a_replay_sends_nothing_and_the_next_life_goes_on_in_the_same_trace(
    tmp_path: Path, world: World, restarts: int
) -> None:
    async def nothing(engine: Engine) -> None:
        await engine.settled()

    live(tmp_path, world, begin)
    before = world.names()
    for _ in range(restarts):
        live(tmp_path, world, nothing)
    assert world.names() == before == ["put on the scales", "weigh"]
    live(tmp_path, world, finish)
    assert {span.context.trace_id for span in world.spans} == {0x0AF7651916CD43DD8448EB211C80319C}
    assert ids(world.span("weigh"))[2] == world.span("ship").context.span_id == ids(world.span("pack"))[2]


def test_one_that_nobody_traced_has_a_trace_of_its_own_that_stays(tmp_path: Path, world: World) -> None:
    async def begin_naps(engine: Engine) -> None:
        await engine.start(naps, id="one")

    live(tmp_path, world, begin_naps)

    async def terminate(engine: Engine) -> None:
        await engine.handle("one").terminate()

    live(tmp_path, world, terminate)
    again = World()

    async def retry(engine: Engine) -> None:
        await engine.handle("one").retry()
        await engine.handle("one").terminate()

    live(tmp_path, again, retry)
    assert world.span("naps").parent is None
    assert ids(world.span("naps")) == ids(again.span("naps"))


def test_a_child_is_within_its_parent(tmp_path: Path, world: World) -> None:
    async def scenario(engine: Engine) -> None:
        assert await (await engine.start(delivers, "tea")).result() == 3

    live(tmp_path, world, scenario)
    parent, child, attempt = world.span("delivers"), world.span("weighs"), world.span("weigh")
    assert ids(child)[::2] == (parent.context.trace_id, parent.context.span_id)
    assert ids(attempt)[::2] == (parent.context.trace_id, child.context.span_id)


def test_what_is_started_here_goes_on_in_the_trace_of_its_starter(tmp_path: Path, world: World) -> None:
    async def scenario(engine: Engine) -> None:
        with tracer().start_as_current_span("checkout"):
            handle = await engine.start(weighs, "tea")
        await handle.result()

    live(tmp_path, world, scenario)
    assert ids(world.span("weighs"))[::2] == ids(world.span("checkout"))[:2]


def test_what_the_caller_does_not_sample_is_not_sent_and_not_sampled_further_down(tmp_path: Path, world: World) -> None:
    seen: list[trace.SpanContext] = []

    @activity
    async def look() -> None:
        seen.append(trace.get_current_span().get_span_context())

    @workflow
    async def looks() -> None:
        await look()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [looks], telemetry=world.telemetry) as engine:
            await (await engine.start_encoded("looks", None, traceparent=NOT_SAMPLED)).result()

    asyncio.run(run())
    assert world.spans == []
    assert [(one.trace_id, one.trace_flags.sampled) for one in seen] == [(0x0AF7651916CD43DD8448EB211C80319C, False)]


def test_the_environments_sampler_decides_the_same_in_every_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")

    async def scenario(engine: Engine) -> None:
        for number in range(30):
            await (await engine.start(weighs, "tea", id=str(number))).result()

    world = World()
    live(tmp_path, world, scenario)
    executions = [span for span in world.spans if span.name == "weighs"]
    assert 0 < len(executions) < 30
    assert len([span for span in world.spans if span.name == "weigh"]) == len(executions)


def test_moments_are_those_of_the_log_and_the_environment_names_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "of the environment")
    world = World()

    async def scenario(engine: Engine) -> tuple[int, int]:
        await (await engine.start(weighs, "tea", id="one")).result()
        events = engine.read.history("one")
        return events[0].at * 1000, events[-1].at * 1000

    moments = live(tmp_path, world, scenario)
    span = world.span("weighs")
    assert (span.start_time, span.end_time) == moments
    assert span.resource.attributes["service.name"] == "of the environment"


def test_a_transaction_is_a_span_like_any_attempt(tmp_path: Path, world: World) -> None:
    @transaction
    def note(connection: sqlite3.Connection, item: str) -> int:
        connection.execute("CREATE TABLE IF NOT EXISTS note (item TEXT)")
        connection.execute("INSERT INTO note VALUES (?)", (item,))
        return trace.get_current_span().get_span_context().span_id

    @workflow
    async def notes() -> int:
        return await note("tea")

    async def run() -> int:
        async with Engine(tmp_path / "db.sqlite", [notes], telemetry=world.telemetry) as engine:
            return await (await engine.start(notes)).result()

    within = asyncio.run(run())
    assert world.names() == ["note", "notes"]
    assert world.span("note").context.span_id == within


def test_an_attempt_that_a_test_lets_fail_is_a_span_that_failed(tmp_path: Path, world: World) -> None:
    faults = Faults()
    faults.failing[weigh.function] = Failing(ValueError("the scales are away"), {1})
    again = weigh.with_options(retry=RetryPolicy(initial_seconds=0))

    @workflow
    async def weighs_again() -> int:
        return await again("tea")

    async def run() -> None:
        options: dict[str, Any] = {"telemetry": world.telemetry, "around_attempts": faults.around}
        async with Engine(tmp_path / "db.sqlite", [weighs_again], **options) as engine:
            await (await engine.start(weighs_again)).result()

    asyncio.run(run())
    assert [span.status.is_ok for span in world.spans if span.name == "weigh"] == [False, True]


@pytest.mark.parametrize("module", ["dormouse", "dormouse.runtime.life", "dormouse.commands.standalone"])
def test_whoever_does_not_ask_for_it_has_not_loaded_it(module: str) -> None:
    code = f"import sys, {module}; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None\nimport dormouse.telemetry"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 1
    assert "pip install '/path/to/dormouse[telemetry]'" in ran.stderr.splitlines()[-1]
