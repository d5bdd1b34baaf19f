"""Are figures judged and shown as agreed?"""

from __future__ import annotations

import json

import pytest
from frame import Baseline, Result, Skipped, run


def test_a_goal_that_is_missed_is_an_exit_code_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {
        "slow": lambda _: Result("slow", 4.0, "", 3, "lower"),
        "fast": lambda _: Result("fast", 9, "/s", 5, "higher"),
    }
    assert run("suite", figures, []) == 1
    slow, fast = capsys.readouterr().out.splitlines()[1:]
    assert slow.split() == ["slow", "4", "<=", "3", "MISSED"]
    assert fast.split() == ["fast", "9", "/s", ">=", "5", "ok"]


def test_the_json_says_everything_that_a_program_needs(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result("ratio", 2.0, "", 3, "lower", Baseline("floor, seconds", 0.5))
    assert run("suite", {"ratio": lambda _: result, "other": lambda _: Skipped("other", "too long")}, ["--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"suite", "machine", "versions", "results", "skipped"}
    assert document["results"] == [
        {
            "name": "ratio",
            "value": 2.0,
            "unit": "",
            "goal": 3,
            "better": "lower",
            "baseline": {"name": "floor, seconds", "value": 0.5},
            "ok": True,
        }
    ]
    assert document["skipped"] == [{"name": "other", "why": "too long"}]


def test_one_figure_can_be_taken_alone_and_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, bool]] = []

    def figure(name: str) -> object:
        def take(quick: bool) -> Result:
            asked.append((name, quick))
            return Result(name, 1, "", 1, "lower")

        return take

    figures = {name: figure(name) for name in ("a", "b")}
    assert run("suite", figures, ["--only", "b", "--quick"]) == 0  # type: ignore[arg-type]
    assert asked == [("b", True)]
    assert "skipped a: not asked for" in capsys.readouterr().out


def test_an_unknown_figure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("suite", {}, ["--only", "nothing"])
    assert ended.value.code == 2
    assert "nothing" in capsys.readouterr().err


def test_a_quick_run_leaves_out_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {name: lambda _, name=name: Result(name, 1, "", 1, "lower") for name in ("long", "short")}
    seconds = {"long": 3600.0}
    assert run("suite", figures, ["--quick"], quick_seconds=seconds) == 0
    shown = capsys.readouterr().out
    assert "skipped long: does not fit into the 50 s of --quick" in shown
    assert "short" in shown
    run("suite", figures, ["--quick", "--only", "long"], quick_seconds=seconds)
    assert "skipped long" not in capsys.readouterr().out
    run("suite", figures, [], quick_seconds=seconds)
    assert "skipped long" not in capsys.readouterr().out
