"""Does a person see what matters, once?"""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from dormouse_operator.api import Condition, DurableWorkflow, DurableWorkflowStatus, parse
from dormouse_operator.dev.display import Display, Line, line_of, said

NOW = "2026-01-01T00:00:00Z"
LINE = Line("sleeper", "Running", 2, restored_from="1/7", url="http://127.0.0.1:8080", counts="open 1")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def workflow(phase: str, **conditions: tuple[Any, str, str]) -> DurableWorkflow:
    parsed = parse(
        {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "DurableWorkflow",
            "metadata": {"name": "sleeper"},
            "spec": {"image": "sleeper", "storage": {"storeRef": {"name": "local"}}},
        }
    )
    assert isinstance(parsed, DurableWorkflow)
    told = tuple(
        Condition(type=kind, status=status, reason=reason, message=message, last_transition_time=NOW)
        for kind, (status, reason, message) in conditions.items()
    )
    return msgspec.structs.replace(parsed, status=DurableWorkflowStatus(phase=phase, epoch=2, conditions=told))


def test_a_running_workflow_tells_counts_origin_and_address() -> None:
    runtime = {"open": 1, "running": 0, "sleeping": 1}
    line = line_of(workflow("Running", Ready=("True", "Running", "")), (), 8080, runtime, {"restoredFrom": "1/7"})
    assert line.text() == ("sleeper: epoch 2  Running  restored from 1/7  open 1, sleeping 1  http://127.0.0.1:8080")


def test_a_stalled_workflow_tells_reason_and_remedy() -> None:
    told = {"Ready": ("False", "StoreDenied", "x"), "Stalled": ("True", "StoreDenied", "check the Secret")}
    line = line_of(workflow("Stalled", **told), (), 8080, {}, {})
    assert line.text() == "sleeper: epoch 2  Stalled  StoreDenied: check the Secret"


def test_a_failed_result_is_not_shown_as_success() -> None:
    line = line_of(workflow("Completed", Completed=("True", "Failed", "")), (), None, {}, {})
    assert line.phase == "Failed"


def test_a_container_that_cannot_be_created_tells_why() -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": "Secret 'model' is missing"}}
    pod = {"status": {"containerStatuses": [{"name": "runtime", "state": waiting}]}}
    assert line_of(workflow("Starting"), (pod,), None, {}, {}).message == "Secret 'model' is missing"


def test_off_a_terminal_a_line_is_printed_when_more_than_counts_changed() -> None:
    stream = io.StringIO()
    display = Display(stream, is_quiet=False, has_colours=True)
    display.show([LINE])
    display.show([LINE])
    display.show([Line("sleeper", "Running", 2, restored_from="1/7", url=LINE.url, counts="open 9")])
    display.show([Line("sleeper", "Completed", 2)])
    assert stream.getvalue() == f"{LINE.text()}\nsleeper: epoch 2  Completed\n"


def test_on_a_terminal_lines_are_redrawn_below_the_messages() -> None:
    stream = Terminal()
    display = Display(stream, is_quiet=False, has_colours=True)
    display.show([LINE])
    display.say("hello")
    assert stream.getvalue().endswith(
        "\x1b[1A\x1b[Jhello\n" + LINE.text().replace("  ", " ").replace("Running", "\x1b[32mRunning\x1b[0m", 1) + "\n"
    )


def test_a_line_never_takes_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    Display(stream, is_quiet=False, has_colours=False).show([Line("sleeper", "Stalled", 1, "a\nlong " * 20)])
    (row,) = stream.getvalue().splitlines()
    assert len(row) < 30
    assert row.endswith("…")


def test_a_quiet_display_tells_only_what_is_wrong() -> None:
    stream = io.StringIO()
    display = Display(stream, is_quiet=True, has_colours=False)
    display.show([LINE])
    display.say("hello")
    display.warn("trouble")
    assert stream.getvalue() == "trouble\n"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{"])
def test_a_status_that_is_none_says_nothing(body: bytes) -> None:
    assert said(body) == {}
