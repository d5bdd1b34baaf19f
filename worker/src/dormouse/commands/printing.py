"""How are executions and events shown? Tables for people, JSON and YAML for programs. Pure, but for `say`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from dormouse.client import Approvals, Blocked, Event, Execution, Executions, Waiting
from dormouse.client.forks import Fork, edited_in, fork_text, fork_view
from dormouse.runtime.views import DrillView

_COLOURS = {
    "Completed": "green",
    "Failed": "red",
    "Terminated": "red",
    "Blocked": "yellow",
    "Cancelled": "yellow",
}
_LONGEST_CELL = 60
_LONGEST_RESULT = 200


def say(text: str) -> None:
    """Print; colours only on a terminal, and not where NO_COLOR is set. Programs get the text as it is."""
    is_terminal = sys.stdout.isatty()
    click.echo(for_terminal(text) if is_terminal else text, color=is_terminal and not os.environ.get("NO_COLOR"))


_OBEYED = re.compile(r"(\x1b\[(?:3[123]|0)m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""The colours of ours, and all control characters but tabs and line breaks."""


def for_terminal(text: str) -> str:
    """Without what a terminal would obey, for payloads and errors may be somebody else's."""
    return _OBEYED.sub(lambda found: found[1] or "?", text)


def document(value: Any, output: str) -> str:
    """JSON or YAML, with the names that the HTTP API uses."""
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    import yaml

    return yaml.safe_dump(msgspec.json.decode(msgspec.json.encode(value)), sort_keys=False, allow_unicode=True).rstrip()


def with_forks(value: Any, forks: Sequence[Fork]) -> Any:
    """What programs are given, with what its file is a fork of; of any other file nothing is added."""
    return _with(value, forkedFrom=[fork_view(one) for one in forks]) if forks else value


def _with(value: Any, **more: Any) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, msgspec.Raw]) | more


def executions_text(page: Executions, output: str | None, forks: Sequence[Fork] = ()) -> str:
    if output in ("json", "yaml"):
        return document(with_forks(page, forks), output)
    if output == "name":
        return "\n".join(one.id for one in page.executions)
    rows = [["ID", "WORKFLOW", "STATUS", "STARTED", *(["CLOSED", "BLOCKED"] if output == "wide" else [])]]
    for one in page.executions:
        more = [_moment(one.closed_at), one.blocked.message if one.blocked else ""] if output == "wide" else []
        rows.append([one.id, one.workflow, coloured(one.status), _moment(one.started_at), *more])
    lines = table(rows)
    return f"{lines}\nmore with: --after {page.next}" if page.next else lines


def execution_text(one: Execution, output: str | None, forks: Sequence[Fork] = ()) -> str:
    own = [fork for fork in forks if fork.execution == one.id]
    if output in ("json", "yaml"):
        return document(with_forks(one, own), output)
    if output == "name":
        return one.id
    lines = [["id", one.id], ["workflow", one.workflow], ["status", coloured(one.status)]]
    lines.append(["started", _moment(one.started_at)])
    if one.closed_at:
        lines.append(["closed", _moment(one.closed_at)])
    lines += [["forked", fork_text(fork)] for fork in own]
    lines += [["waits for", _waiting(waiting)] for waiting in one.waits_for or ()]
    if one.app_version:
        lines.append(["version", one.app_version])
    if one.blocked:
        lines += _blocked(one.blocked)
    if one.error:
        lines.append(["error", _error(one.error.type, one.error.message, one.error.source)])
    if one.result is not msgspec.UNSET:
        lines.append(["result", _result(bytes(one.result))])
    return table(lines, cut=False)


def told_text(one: Execution, output: str | None) -> str:
    """What became of an execution that was told something: its id and status, as short as that."""
    return f"{one.id} {coloured(one.status)}" if output is None else execution_text(one, output)


def drill_text(found: DrillView, output: str | None) -> str:
    """What came of a drill."""
    if output in ("json", "yaml"):
        return document(found, output)
    if not found.ok:
        return "\n".join(found.problems)
    went_on = f"{found.executions} open execution{'' if found.executions == 1 else 's'} would go on"
    return f"{found.position} was restored in {found.restore_seconds:.1f} s and is what the live side holds; {went_on}"


def resumed_text(count: int, output: str | None) -> str:
    """How many executions go on."""
    if output in ("json", "yaml"):
        return document({"resumed": count}, output)
    return f"{count} {'execution goes' if count == 1 else 'executions go'} on" if output != "name" else str(count)


def answer_text(result: bytes, output: str | None) -> str:
    """What a query or an update came to: the value alone, or as the HTTP API answers."""
    return result.decode() if output is None else document({"result": msgspec.Raw(result)}, output)


def history_text(events: Sequence[Event], output: str | None, forks: Sequence[Fork] = ()) -> str:
    edited = edited_in(forks)
    if output in ("json", "yaml"):
        told = [_with(event, edited=True) if event.position in edited else event for event in events]
        return document(with_forks({"events": told}, forks), output)
    wide = output == "wide"
    whys = ["its answer was edited in a fork" if event.position in edited else _why(event) for event in events]
    why_there = any(whys)
    rows = [["POSITION", "AT", "EVENT", "COMMAND", "NAME", "SOURCE", *["WHY"] * why_there, *["PAYLOAD"] * wide]]
    for event, why in zip(events, whys, strict=True):
        name = " ".join(filter(None, [event.name, f"attempt {event.attempt}" if event.attempt else None]))
        due = f"until {event.due}" if event.due else ""
        command = str(event.command or "")
        more = [*[why] * why_there, *[_payload(event)] * wide]
        rows.append([str(event.position), event.at, event.kind, command, name or due, event.source or "", *more])
    return table(rows, cut=not wide)


def _why(event: Event) -> str:
    """The first line of what somebody gave as a reason, or of an error."""
    if event.payload is msgspec.UNSET:
        return ""
    value = msgspec.json.decode(event.payload)
    match event.kind:
        case "CancelRequested":
            why = value
        case "ApprovalDecided":
            why = f"{value['outcome']} by {value['by']}: {value.get('reason', '')}".removesuffix(": ")
        case "ExecutionTerminated" | "ExecutionCancelled":
            why = value["message"]
        case kind if kind.endswith("Failed"):
            why = _error(value["type"], value["message"], None)
        case _:
            why = ""
    return next(iter(why.splitlines()), "")


def _payload(event: Event) -> str:
    """On one line; a traceback, which has many, is for `-o json` and `-o yaml`."""
    if event.payload is msgspec.UNSET:
        return ""
    if not event.kind.endswith("Failed"):
        return bytes(event.payload).decode()
    error = msgspec.json.decode(event.payload)
    return msgspec.json.encode({name: value for name, value in error.items() if name != "traceback"}).decode()


def approvals_text(page: Approvals, output: str | None) -> str:
    if output in ("json", "yaml"):
        return document(page, output)
    wide = output == "wide"
    more = ["WORKFLOW", "REQUESTED", "SOURCE"] if wide else []
    rows = [["EXECUTION", "APPROVAL", "DIGEST", "EXPIRES", "VALUE", *more]]
    for one in page.approvals:
        more = [one.workflow, _moment(one.requested_at), one.source or ""] if wide else []
        rows.append([one.execution, one.name, one.digest, _moment(one.expires_at), bytes(one.value).decode(), *more])
    lines = table(rows, cut=not wide)
    return f"{lines}\nmore with: --after {page.next}" if page.next else lines


def table(rows: Sequence[Sequence[str]], *, cut: bool = True) -> str:
    """Columns as wide as their widest cell."""
    cells = [[_cut(cell) if cut else cell for cell in row] for row in rows]
    widths = [max(len(click.unstyle(row[column])) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


class GrowingTable:
    """Lines that come one after the other: a column is as wide as its widest cell so far."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def line(self, cells: Sequence[str]) -> str:
        """The next one; a cell more than before opens a column."""
        lengths = [len(click.unstyle(cell)) for cell in cells]
        self._widths += [0] * (len(cells) - len(self._widths))
        self._widths[: len(cells)] = map(max, self._widths, lengths)
        widths = self._widths
        padded = (cell + " " * (width - has) for cell, width, has in zip(cells, widths, lengths, strict=False))
        return "  ".join(padded).rstrip()


def _cut(cell: str) -> str:
    return cell if len(click.unstyle(cell)) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 3]}..."


def _result(payload: bytes) -> str:
    """A line of it."""
    text = payload.decode()
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]}… (all of it: dormouse result)"


def coloured(status: str) -> str:
    """A status in the colour of its kind."""
    colour = _COLOURS.get(status)
    return status if colour is None else click.style(status, fg=colour)


def _moment(text: str | None) -> str:
    """Without the milliseconds."""
    return "" if text is None else f"{text[:19]}Z"


def _blocked(blocked: Blocked) -> list[list[str]]:
    """Both sides with their lines where they are known, and code that would go both ways."""
    if blocked.expected and blocked.actual:
        lines = [["blocked", f"{blocked.reason}: the code asks for another call than the log holds"]]
        lines.append(["log", f"{blocked.expected}{_at(blocked.expected_source)}"])
        lines.append(["code", f"{blocked.actual}{_at(blocked.actual_source)}"])
    else:
        lines = [["blocked", f"{blocked.reason}: {blocked.message}"]]
    suggested = (blocked.suggestion or "").splitlines()
    return lines + [["suggestion" if number == 0 else "", line] for number, line in enumerate(suggested)]


def _waiting(waiting: Waiting) -> str:
    return what_is_waited_for(waiting) + _at(waiting.source)


def what_is_waited_for(waiting: Waiting) -> str:
    if waiting.kind == "timer":
        return f"a timer, until {waiting.due_at}"
    if waiting.kind == "approval":
        until = f", until {waiting.due_at}" if waiting.due_at else ""
        return f"the approval {waiting.name} with the digest {waiting.id}{until}"
    if waiting.kind == "resume":
        return "somebody to resume it: it is paused"
    if waiting.kind == "child":
        return f"the execution {waiting.id} of {waiting.name}"
    parts = [f"{waiting.kind} {waiting.name}" if waiting.name else waiting.kind]
    if waiting.attempt and waiting.attempt > 1:
        parts.append(f"attempt {waiting.attempt}" + (f" at {waiting.due_at}" if waiting.due_at else ""))
    if waiting.last_error:
        parts.append(f"after {waiting.last_error.type}: {waiting.last_error.message}")
    return ", ".join(parts)


def _error(kind: str, message: str, source: str | None) -> str:
    return f"{kind}: {message}".removesuffix(": ") + _at(source)


def _at(source: str | None) -> str:
    return f" ({source})" if source else ""
