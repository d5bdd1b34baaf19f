"""Are figures judged and shown as agreed?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import frame
import pytest
from frame import Baseline, Figure, Measured, Unavailable, run


def figure(name: str, *values: float, **settings: Any) -> Figure:
    settings = {"goal": 3, "better": "lower", **settings}
    return Figure(name, f"what {name} is", take=lambda _: Measured(values), **settings)


def missing(name: str) -> Figure:
    def take(_: bool) -> Measured:
        raise Unavailable("no network")

    return Figure(name, "", 3, "lower", take)


def test_a_goal_that_is_missed_is_an_exit_code_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("suite", [figure("slow", 4.0), figure("fast", 9, unit="/s", goal=5, better="higher")], []) == 1
    slow, fast = capsys.readouterr().out.splitlines()[1:]
    assert slow.split() == ["slow", "4", "<=", "3", "MISSED"]
    assert fast.split() == ["fast", "9", "/s", ">=", "5", "ok"]


def test_the_figure_of_several_rounds_is_their_median(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("suite", [figure("restart", 1.0, 100.0, 2.0)], []) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["restart", "2"]


def test_the_json_says_everything_that_a_program_needs(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured((1.0, 2.0, 4.0), Baseline("floor, seconds", 0.5))
    ratio = Figure("ratio", "what it is", 3, "lower", lambda _: measured)
    assert run("suite", [ratio, missing("other")], ["--json"], more_versions={"rival": "1.2"}) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"format", "suite", "quick", "date", "machine", "versions", "results", "skipped"}
    assert (document["format"], document["suite"], document["quick"]) == (1, "suite", False)
    assert document["versions"]["rival"] == "1.2"
    assert document["results"] == [
        {
            "name": "ratio",
            "value": 2.0,
            "unit": "",
            "goal": 3,
            "better": "lower",
            "ok": True,
            "rounds": [1.0, 2.0, 4.0],
            "baseline": {"name": "floor, seconds", "value": 0.5},
        }
    ]
    assert document["skipped"] == [{"name": "other", "why": "no network"}]


def test_one_figure_can_be_taken_alone_and_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, bool]] = []

    def taking(name: str) -> Callable[[bool], Measured]:
        def take(quick: bool) -> Measured:
            asked.append((name, quick))
            return Measured((1,))

        return take

    figures = [Figure(name, "", 1, "lower", taking(name)) for name in ("a", "b")]
    assert run("suite", figures, ["--only", "b", "--quick"]) == 0
    assert asked == [("b", True)]
    assert "skipped a: not asked for" in capsys.readouterr().out


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        run("suite", [], ["--only", "nothing"])
    assert ended.value.code == 2


def test_what_does_not_fit_into_a_quick_run_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "QUICK_SECONDS", 10.0)
    long, short = figure("long", 1.0, quick_seconds=11), figure("short", 1.0, quick_seconds=1)
    assert run("suite", [long, short], ["--quick"]) == 0
    assert "skipped long: does not fit into the 10 s of --quick" in capsys.readouterr().out
    for arguments in ([], ["--quick", "--only", "long"]):
        assert run("suite", [long, short], arguments) == 0
        assert "skipped long" not in capsys.readouterr().out


def test_what_is_first_to_be_installed_does_not_fit_into_a_quick_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "QUICK_SECONDS", 10.0)
    assert run("suite", [figure("rival", 1.0, quick_seconds=1, preparing=lambda: 40.0)], ["--quick"]) == 0
    assert "skipped rival: does not fit" in capsys.readouterr().out


def test_the_docs_are_given_the_document_of_a_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[Any] = []
    assert run("suite", [figure("a", 1.0)], ["--write-docs", "--json"], write_docs=written.append) == 0
    assert written == [json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("part", [["--quick"], ["--only", "a"]])
def test_a_part_of_the_figures_is_not_written_into_the_docs(
    part: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Any] = []
    with pytest.raises(SystemExit) as ended:
        run("suite", [figure("a", 1.0)], ["--write-docs", *part], write_docs=written.append)
    assert ended.value.code == 2
    assert not written
    assert "leave --quick and --only away" in capsys.readouterr().err


def test_on_a_machine_that_is_slower_than_expected_less_fits_into_a_quick_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "QUICK_SECONDS", 10.0)
    now = 0.0
    monkeypatch.setattr("frame.time.monotonic", lambda: now)

    def slow(_: bool) -> Measured:
        nonlocal now
        now += 4.0
        return Measured((1.0,))

    first = Figure("first", "", 3, "lower", slow, quick_seconds=1)
    assert run("suite", [first, figure("second", 1.0, quick_seconds=2), figure("third", 1.0)], ["--quick"]) == 0
    assert "skipped second" in (shown := capsys.readouterr().out)
    assert "third" in shown
    assert "skipped third" not in shown
