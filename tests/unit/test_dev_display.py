"""Does a person see what matters, once?"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pty
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from dormouse_operator.api import Condition, DurableWorkflow, DurableWorkflowStatus, parse
from dormouse_operator.dev.display import Display, Line, line_of, said

NOW = "2026-01-01T00:00:00Z"
LOCAL_NOON = datetime(2026, 1, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
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
    running = workflow("Running", Ready=("True", "Running", ""))
    line = line_of(running, (), 8080, runtime, {"restoredFrom": "1/7"}, LOCAL_NOON)
    assert line.text() == "sleeper: epoch 2  Running  http://127.0.0.1:8080  restored from 1/7  open 1, sleeping 1"


@pytest.mark.parametrize(
    ("wake", "told"),
    [
        ("2026-01-01T10:00:05.250Z", "sleeping 1 until 12:00:05"),
        ("2026-01-01T23:00:00Z", "sleeping 1 until 2026-01-02 01:00:00"),
    ],
)
def test_a_sleep_is_told_with_its_end_in_local_time(wake: str, told: str) -> None:
    line = line_of(workflow("Running"), (), 8080, {"sleeping": 1, "nextWakeAt": wake}, {}, LOCAL_NOON)
    assert line.counts == told


def test_a_stalled_workflow_tells_reason_and_remedy() -> None:
    told = {"Ready": ("False", "StoreDenied", "x"), "Stalled": ("True", "StoreDenied", "check the Secret")}
    line = line_of(workflow("Stalled", **told), (), 8080, {}, {}, LOCAL_NOON)
    assert line.text() == "sleeper: epoch 2  Stalled  StoreDenied: check the Secret"


def test_a_failed_result_is_not_shown_as_success() -> None:
    failed = workflow("Completed", Completed=("True", "Failed", ""))
    assert line_of(failed, (), None, {}, {}, LOCAL_NOON).text() == "sleeper: epoch 2  Failed"
    farewell = json.dumps({"reason": "Completed", "result": "failed", "error": "ValueError: 7"})
    ended = {"name": "runtime", "state": {"terminated": {"exitCode": 0, "message": farewell}}}
    pod = {"metadata": {"name": "sleeper-e2"}, "status": {"phase": "Succeeded", "containerStatuses": [ended]}}
    assert line_of(failed, (pod,), None, {}, {}, LOCAL_NOON).text() == "sleeper: epoch 2  Failed: ValueError: 7"


def test_a_container_that_cannot_be_created_tells_why() -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": "Secret 'model' is missing"}}
    pod = {"status": {"containerStatuses": [{"name": "runtime", "state": waiting}]}}
    assert line_of(workflow("Starting"), (pod,), None, {}, {}, LOCAL_NOON).message == "Secret 'model' is missing"


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
        "\r\x1b[1A\x1b[Jhello\n" + LINE.text().replace("  ", " ").replace("Running", "\x1b[32mRunning\x1b[0m", 1) + "\n"
    )


def test_the_address_is_not_cut_off_on_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    line = dataclasses.replace(
        LINE, counts="open 12, running 1, sleeping 11 until 12:00:05", url="http://127.0.0.1:43210"
    )
    Display(stream, is_quiet=False, has_colours=False).show([line])
    assert "http://127.0.0.1:43210 " in stream.getvalue()


def test_a_terminal_that_was_closed_is_not_written_to_any_more() -> None:
    terminal, ours = pty.openpty()
    with os.fdopen(ours, "w") as stream:
        display = Display(stream, is_quiet=False, has_colours=False)
        display.show([LINE])
        os.close(terminal)
        display.say("nobody reads this")
        display.say("nor this")


def test_a_line_never_takes_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    Display(stream, is_quiet=False, has_colours=False).show([Line("sleeper", "Stalled", 1, "a\nlong " * 20)])
    (row,) = stream.getvalue().removeprefix("\r\x1b[J").splitlines()
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
