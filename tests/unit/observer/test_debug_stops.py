"""Where does a replay stop, when somebody wants to see the code at an event?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dormouse import Approval, RetryPolicy, Signal, Workflow, activity, workflow
from dormouse.engine.journal import Kind
from dormouse.errors import UnknownExecution
from dormouse.testing import Durable
from dormouse_observer.debugging.recording import GoesAnotherWay, Library, NoSuchEvent, Recording
from dormouse_observer.debugging.stops import Step, chosen
from dormouse_observer.debugging.variables import AtEvent, variables_at

go = Signal("go", str)
consent = Approval("consent", str)
ran: list[str] = []


@activity(retry=RetryPolicy(attempts=2))
async def fetch(name: str) -> str:
    ran.append(name)
    if name == "flaky" and ran.count("flaky") == 1:
        raise OSError("the line is dead")
    return f"{name}!"


async def both(name: str) -> list[str]:
    begun = True
    found = await asyncio.gather(fetch(name), fetch(f"second {name}"))
    return list(found) if begun else []


@workflow
async def part(name: str) -> str:
    got = await fetch(name)
    return got.upper()


@workflow
async def everything(name: str) -> str:
    one = await fetch(name)
    pair = await both(one)
    await asyncio.sleep(60)
    child = await part("part")
    unsteady = await fetch("flaky")
    decision = await consent.request(child)
    word = await go.receive()
    last = await fetch(word)
    return f"{len(pair)} {unsteady} {decision.approved} {last}"


@workflow
async def fails(name: str) -> str:
    got = await fetch(name)
    size = len(got)
    return got[size]


@workflow
async def waits() -> str:
    pair = await asyncio.gather(fetch("a"), go.receive())
    return str(pair)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    durable = Durable(tmp_path_factory.mktemp("recorded"))

    async def record() -> None:
        async with durable.engine([everything, fails, part, waits]) as engine:
            main = await engine.start(everything, "a", id="main")
            await engine.start(fails, "b", id="failed")
            await engine.start(waits, id="waits")
            await engine.sleep(200)
            (asked,) = await main.approvals()
            await main.approve(consent, asked.digest, by="ada")
            await main.signal(go, "go")
            await engine.sleep(1)

    asyncio.run(record())
    ran.clear()
    return durable.database


@pytest.fixture
def main(file: Path) -> Recording:
    return Library(file, {"everything": everything}).recording("main")


def events(recording: Recording, kind: Kind) -> list[int]:
    return [event.position for event in recording.counting if event.kind == kind]


def functions(found: AtEvent) -> list[str]:
    return [frame.function for frame in found.frames]


def innermost(recording: Recording, position: int) -> dict[str, str]:
    return variables_at(recording, position).frames[-1].variables


def line(found: AtEvent) -> str:
    """The text of the innermost line."""
    return Path(__file__).read_text().splitlines()[int(found.frames[-1].source.rpartition(":")[2]) - 1].strip()


def test_at_an_answer_it_is_where_that_is_awaited_before_the_variable_is_set(main: Recording) -> None:
    found = variables_at(main, events(main, Kind.ACTIVITY_COMPLETED)[0])
    assert line(found) == "one = await fetch(name)"
    assert found.frames[-1].variables == {"name": "'a'"}


def test_at_what_the_code_asks_for_it_is_in_the_line_that_is_about_to_ask(main: Recording) -> None:
    asked = events(main, Kind.ACTIVITY_SCHEDULED)
    assert line(variables_at(main, asked[0])) == "one = await fetch(name)"
    assert line(variables_at(main, asked[-1])) == "last = await fetch(word)"
    assert innermost(main, asked[-1])["word"] == "'go'"


def test_both_of_two_calls_at_once_are_asked_for_in_one_line_of_the_function_that_was_called(main: Recording) -> None:
    for position in events(main, Kind.ACTIVITY_SCHEDULED)[1:3]:
        found = variables_at(main, position)
        assert functions(found) == ["everything", "both"]
        assert found.frames[-1].variables == {"name": "'a!'", "begun": "True"}


def test_the_answer_that_still_leaves_one_to_wait_for_shows_the_code_waiting(main: Recording) -> None:
    first, second = (variables_at(main, one) for one in events(main, Kind.ACTIVITY_COMPLETED)[1:3])
    assert functions(first) == functions(second) == ["everything", "both"]
    assert line(first) == line(second) == 'found = await asyncio.gather(fetch(name), fetch(f"second {name}"))'


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.EXECUTION_STARTED, "one = await fetch(name)"),
        (Kind.TIMER_SET, "await asyncio.sleep(60)"),
        (Kind.TIMER_FIRED, "await asyncio.sleep(60)"),
        (Kind.CHILD_STARTED, 'child = await part("part")'),
        (Kind.CHILD_COMPLETED, 'child = await part("part")'),
        (Kind.ATTEMPT_FAILED, 'unsteady = await fetch("flaky")'),
        (Kind.APPROVAL_REQUESTED, "decision = await consent.request(child)"),
        (Kind.APPROVAL_DECIDED, "decision = await consent.request(child)"),
        (Kind.SIGNAL_RECEIVED, "word = await go.receive()"),
        (Kind.EXECUTION_COMPLETED, 'return f"{len(pair)} {unsteady} {decision.approved} {last}"'),
    ],
)
def test_each_kind_of_event_has_its_line(main: Recording, kind: Kind, text: str) -> None:
    (position,) = events(main, kind)
    assert line(variables_at(main, position)) == text


def test_a_failed_execution_ends_in_the_line_that_is_about_to_raise(file: Path) -> None:
    recording = Library(file, {"fails": fails}).recording("failed")
    found = variables_at(recording, recording.counting[-1].position)
    assert line(found) == "return got[size]"
    assert found.frames[-1].variables == {"name": "'b'", "got": "'b!'", "size": "2"}


def test_every_event_of_every_execution_can_be_stopped_at_and_no_activity_runs(file: Path) -> None:
    library = Library(file, {one.name: one for one in (everything, fails, part, waits)})
    before = file.read_bytes()
    for execution in ("main", "main.5", "failed", "waits"):
        recording = library.recording(execution)
        for event in recording.counting:
            assert variables_at(recording, event.position).frames, event
    assert (ran, file.read_bytes()) == ([], before)


def test_children_and_parents_are_known(file: Path) -> None:
    library = Library(file, {"everything": everything, "part": part})
    parent = library.recording("main")
    (child,) = parent.children.values()
    assert (parent.parent, library.recording(child).parent) == (None, "main")


def test_an_event_that_is_not_there_is_refused_with_those_that_are(main: Recording) -> None:
    last = main.counting[-1].position
    with pytest.raises(NoSuchEvent, match=f"has no event 99999: its newest run has those from {main.first} to {last}"):
        variables_at(main, 99999)


def test_an_execution_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(UnknownExecution, match="no execution 'nobody'"):
        Library(file, {"everything": everything}).recording("nobody")


def test_code_without_the_workflow_is_refused(file: Path) -> None:
    with pytest.raises(GoesAnotherWay, match="the code has no workflow 'everything'"):
        Library(file, {"fails": fails}).recording("main")


def test_code_that_goes_another_way_before_the_event_says_so(file: Path) -> None:
    def changed() -> Workflow[..., str]:
        @workflow
        async def fails(name: str) -> str:
            await asyncio.sleep(1)
            return await fetch(name)

        return fails

    recording = Library(file, {"fails": changed()}).recording("failed")
    assert variables_at(recording, recording.first).frames
    with pytest.raises(GoesAnotherWay, match="the log says ActivityScheduled fetch") as raised:
        variables_at(recording, events(recording, Kind.ACTIVITY_COMPLETED)[0])
    assert raised.value.blocked.reason == "NonDeterministic"


def test_what_a_retry_of_the_execution_took_back_is_refused(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    answers: list[Exception | str] = [OSError("away"), "there"]

    @activity(retry=RetryPolicy(attempts=1))
    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @workflow
    async def asks() -> str:
        return await ask()

    async def record() -> None:
        async with durable.engine([asks]) as engine:
            handle = await engine.start(asks, id="again")
            await engine.sleep(1)
            await handle.retry()
            await engine.sleep(1)

    asyncio.run(record())
    recording = Library(durable.database, {"asks": asks}).recording("again")
    (taken,) = (event.position for event in recording.events if event.kind == Kind.ACTIVITY_FAILED)
    with pytest.raises(NoSuchEvent, match="was taken back by a retry"):
        variables_at(recording, taken)
    for event in recording.counting:
        assert variables_at(recording, event.position).frames


def test_the_last_step_in_the_line_counts_or_else_the_last() -> None:
    steps = [Step("a.py:1", 2), Step("a.py:2", 2), Step("a.py:1", 2), Step("a.py:3", 1)]
    assert chosen(steps, "a.py:1") == 2
    assert chosen(steps, "a.py:9") == 3
    assert chosen([], "a.py:1") is None
