"""What does a person see of each workflow? One line, redrawn in place on a terminal, else printed when it changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.dev.outcome import is_failed, left_behind

_COLOURS = {"Running": "32", "Completed": "32", "Stalled": "31", "Failed": "31"}
_MOVING_COLOUR = "33"
_COUNTS = ("open", "running", "sleeping", "waiting", "retrying", "blocked")


@dataclass(frozen=True)
class Line:
    """What is told of one workflow."""

    name: str
    phase: str
    epoch: int
    message: str = ""
    restored_from: str = ""
    url: str = ""
    counts: str = ""

    @property
    def lasting(self) -> tuple[str, ...]:
        """What is worth a new line where lines cannot be redrawn: the counts change too often."""
        return (self.name, self.phase, str(self.epoch), self.message, self.restored_from, self.url)

    def text(self) -> str:
        """The whole line."""
        restored = f"restored from {self.restored_from}" if self.restored_from else ""
        phase, message = self.phase, self.message
        if phase == "Failed" and message:
            phase, message = f"{phase}: {message}", ""
        # The address is what a person needs most: it comes before what a narrow terminal cuts off.
        parts = (f"epoch {self.epoch}", phase, self.url, restored, self.counts, message)
        return f"{self.name}: " + "  ".join(part for part in parts if part)


def line_of(
    workflow: DurableWorkflow,
    pods: Sequence[Mapping[str, Any]],
    port: int | None,
    runtime: Mapping[str, Any],
    keeper: Mapping[str, Any],
    now: datetime,
) -> Line:
    """The line of a workflow; `runtime` and `keeper` are what its pod's /status say, empty without an answer."""
    status = workflow.status
    phase = status.phase or "Pending"
    message = _message(workflow, pods)
    if is_failed(status):
        outcome = left_behind(pods)
        phase, message = "Failed", "" if outcome is None else outcome.message
    counts = ", ".join(_count(name, runtime, now) for name in _COUNTS if runtime.get(name))
    is_live = phase in ("Running", "Starting")
    return Line(
        name=workflow.metadata.name,
        phase=phase,
        epoch=status.epoch,
        message=message,
        restored_from=str(keeper.get("restoredFrom") or "") if is_live else "",
        url=f"http://127.0.0.1:{port}" if port and phase == "Running" else "",
        counts=counts if is_live else "",
    )


def _count(name: str, runtime: Mapping[str, Any], now: datetime) -> str:
    """`now` tells which time zone the person lives in, and which day it is there."""
    text = f"{name} {runtime[name]}"
    if name != "sleeping" or not runtime.get("nextWakeAt"):
        return text
    wake = datetime.fromisoformat(runtime["nextWakeAt"]).astimezone(now.tzinfo)
    return f"{text} until {wake:%H:%M:%S}" if wake.date() == now.date() else f"{text} until {wake:%Y-%m-%d %H:%M:%S}"


def _message(workflow: DurableWorkflow, pods: Sequence[Mapping[str, Any]]) -> str:
    """What the condition that matters says, or what keeps a container from starting."""
    for pod in pods:
        statuses = pod.get("status", {})
        for container in (*statuses.get("initContainerStatuses", ()), *statuses.get("containerStatuses", ())):
            waiting = container["state"].get("waiting", {})
            if waiting.get("reason") == "CreateContainerConfigError":
                return str(waiting["message"])
    stalled, ready = workflow.status.condition("Stalled"), workflow.status.condition("Ready")
    if stalled is not None and stalled.status == "True":
        return f"{stalled.reason}: {stalled.message}"
    if ready is None or ready.status == "True":
        return ""
    return ready.message


class Display:
    """Lines at the bottom of a terminal, and messages above them; plain lines on anything else."""

    def __init__(self, stream: TextIO, *, is_quiet: bool, has_colours: bool) -> None:
        """A quiet one tells only what is wrong."""
        self._stream = stream
        self._is_quiet = is_quiet
        self._is_live = stream.isatty() and not is_quiet
        self._has_colours = has_colours and self._is_live
        self._drawn: tuple[Line, ...] = ()
        self._drawn_rows = 0
        self._is_gone = False

    def say(self, message: str) -> None:
        """One message that stays."""
        if not self._is_quiet:
            self.warn(message)

    def warn(self, message: str) -> None:
        """One message that stays, quiet or not."""
        self._erase()
        self._write(message + "\n")
        self._draw()

    def show(self, lines: Sequence[Line]) -> None:
        """Show the state of all workflows; nothing happens when it is the same."""
        before, self._drawn = self._drawn, tuple(lines)
        if self._drawn == before or self._is_quiet:
            return
        if self._is_live:
            self._erase()
            self._draw()
            return
        known = {line.name: line.lasting for line in before}
        for line in lines:
            if known.get(line.name) != line.lasting:
                self._write(line.text() + "\n")

    def _erase(self) -> None:
        if not self._is_live:
            return
        up = f"\x1b[{self._drawn_rows}A" if self._drawn_rows else ""
        self._write(f"\r{up}\x1b[J")  # the terminal may have echoed a ^C
        self._drawn_rows = 0

    def _draw(self) -> None:
        if not self._is_live or not self._drawn:
            return
        width = shutil.get_terminal_size().columns - 1
        for line in self._drawn:
            # One row each: a row that wraps could not be redrawn in place.
            text = " ".join(line.text().split())
            cut = text if len(text) <= width else text[: width - 1] + "…"
            colour = _COLOURS.get(line.phase, _MOVING_COLOUR)
            painted = cut.replace(line.phase, f"\x1b[{colour}m{line.phase}\x1b[0m", 1) if self._has_colours else cut
            self._write(painted + "\n")
        self._drawn_rows = len(self._drawn)

    def _write(self, text: str) -> None:
        if self._is_gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The terminal was closed: nobody reads any more, and the pods have to end well all the same.
            self._is_gone = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # else the interpreter's own last flush fails
            os.close(nowhere)


def said(body: bytes) -> Mapping[str, Any]:
    """What a /status says; empty when it is not that."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
