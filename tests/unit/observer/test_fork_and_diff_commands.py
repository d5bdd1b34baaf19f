"""What do `dormouse fork` and `dormouse diff` answer to a person, and to wrong input?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dormouse import activity, workflow
from dormouse._commands import root
from dormouse.commands.kubectl_completion import offered
from dormouse.testing import Durable
from dormouse_observer.code import workflows_of

FIELDS = """\
from dataclasses import dataclass

from dormouse import activity, workflow


@dataclass
class Price:
    euros: int
    cents: int = 0


@activity
async def price() -> Price:
    return Price(5)


@workflow
async def costs() -> int:
    return (await price()).euros
"""


@activity
async def weigh(item: str) -> int:
    return len(item)


@workflow
async def weighed(item: str) -> int:
    return 2 * await weigh(item)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    durable = Durable(tmp_path_factory.mktemp("weighed"))
    assert durable.run(weighed, "tea", id="one") == 6
    return durable.database


def run(*command: object) -> Result:
    return CliRunner().invoke(root, [str(part) for part in command])


def fork(file: Path, target: Path, *more: str, execution: str = "one", at: str = "3") -> Result:
    return run("fork", file, "--execution", execution, "--at", at, "-o", target, *more)


def test_a_fork_and_its_source_differ_from_the_edited_event_on(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "fork.sqlite"
    assert fork(file, target, "--edit", "9").stdout.startswith(f"{target}: one up to event 3 ActivityCompleted")
    differ = run("diff", file, target, "-o", "json")
    found = json.loads(differ.stdout)
    assert (differ.exit_code, found["same"], found["executions"][0]["common"]) == (1, False, 2)


def test_the_same_is_the_same(file: Path) -> None:
    alike = run("diff", file, file)
    assert (alike.exit_code, alike.stdout) == (0, "1 execution the same\n")


def test_an_answer_of_a_file_is_taken(file: Path, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("[1, 2]")
    assert fork(file, tmp_path / "fork.sqlite", "--edit", f"@{tmp_path / 'answer.json'}").exit_code == 0


def test_a_field_that_the_type_of_the_code_does_not_know_is_refused(tmp_path: Path) -> None:
    code = tmp_path / "forked_fields.py"
    code.write_text(FIELDS)
    durable = Durable(tmp_path)
    assert durable.run(workflows_of(str(code))["costs"], id="one") == 5
    answer = '{"euros": 7, "cent": 5}'
    refused = fork(durable.database, tmp_path / "fork.sqlite", "--edit", answer, "--code", str(code))
    assert refused.exit_code == 1
    assert "what price returns is of the type Price; unknown field `$.cent`; did you mean `cents`?" in refused.stderr
    assert not (tmp_path / "fork.sqlite").exists()


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("fork", "FILE", "--execution", ""), ["one", ":4"]),
        (("fork", "FILE", "--execution", "x"), [":4"]),
        (("debug", "--execution", "one", "FILE", "--break-at", "3"), ["3\tActivityCompleted", ":4"]),
        (("fork", "FILE", "--execution", "one", "--at", "2"), ["2\tActivityScheduled weigh", ":4"]),
        (("fork", "FILE", "--execution", "nobody", "--at", ""), [":4"]),
        (("diff", "nowhere.sqlite", "FILE", "--with", ""), ["one", ":4"]),
        (("diff", "nowhere.sqlite", "FILE", "--execution", ""), [":4"]),
    ],
)
def test_a_shell_is_offered_the_executions_and_the_events_of_the_file(
    file: Path, words: tuple[str, ...], lines: list[str]
) -> None:
    assert offered([str(file) if word == "FILE" else word for word in words]).splitlines() == lines


@pytest.mark.parametrize(
    ("more", "options", "exit_code", "said"),
    [
        (("--edit", "tea"), {}, 2, "--edit: it is not JSON"),
        (("--edit", '{"cents": NaN}'), {}, 2, "JSON has no NaN and no infinity"),
        (("--edit", "1e999"), {}, 2, "JSON has no NaN and no infinity"),
        (("--edit", "@nowhere.json"), {}, 2, "--edit: nowhere.json: No such file"),
        (("--edit", "3"), {}, 1, "--edit has the answer that event 3 (ActivityCompleted) holds already"),
        (("--code", "nowhere.py"), {}, 2, "there is no file nowhere.py"),
        (("--edit", "3"), {"at": "2"}, 1, "choose event 3, which is its answer"),
        ((), {"at": "99"}, 1, "has no event 99: its newest run has those from"),
        ((), {"execution": "nobody"}, 2, "there is no execution 'nobody'"),
    ],
)
def test_wrong_input_is_refused_and_leaves_nothing(
    file: Path, tmp_path: Path, more: tuple[str, ...], options: dict[str, str], exit_code: int, said: str
) -> None:
    refused = fork(file, tmp_path / "fork.sqlite", *more, **options)
    assert (refused.exit_code, said in refused.stderr) == (exit_code, True), refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_compared_is_no_difference(file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database, but long enough to be looked at as one would look at it")
    assert run("diff", file, tmp_path / "text.sqlite").exit_code == 4
    assert run("diff", file, file, "--execution", "nobody").exit_code == 2
    assert run("diff", file, file, "--with", "one").exit_code == 2


def test_a_fork_needs_a_folder_that_is_there(file: Path, tmp_path: Path) -> None:
    refused = fork(file, tmp_path / "nowhere" / "fork.sqlite")
    assert (refused.exit_code, "there is no folder" in refused.stderr) == (1, True)
