"""How does a DurableWorkflow fare? Everything about one on one screen, or a line for each of many. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dormouse.cluster.remedies import REMEDIES
from dormouse.cluster.seen import Seen, age
from dormouse.commands.printing import table

if TYPE_CHECKING:
    from dormouse.runtime.views import StatusView

_COLOURS = {"Running": "green", "Completed": "green", "Stalled": "red", "Starting": "yellow", "Stopping": "yellow"}
_DOING = ("running", "sleeping", "waiting", "retrying", "blocked")
_MOST_EVENTS = 5
_BAD_WHEN_TRUE = ("Stalled", "Blocked")
_BAD_WHEN_FALSE = ("Ready", "Replicating", "Drilled")
_AT_REST = ("Completed", "Suspended")
"""Phases in which no pod is there, as somebody wanted it."""


def status_text(
    seen: Seen,
    pod: dict[str, Any] | None,
    events: Sequence[dict[str, Any]],
    standing: StatusView | str,
    now: datetime,
) -> str:
    """Everything about one.

    Args:
        standing: what its pod says of its executions, or why it was not asked.
    """
    lines = [[f"{seen.namespace}/{seen.name}", f"{_coloured(seen.phase)}{_asked_for(seen)}"]]
    lines += [
        ["", f"Ready is {one.status}, {one.reason}: {_line(one.message)}"] for one in [seen.condition("Ready")] if one
    ]
    lines.append(["pod", _pod(seen, pod)])
    lines.append(["epoch", _epoch(seen, now)])
    lines.append(["store", _store(seen)])
    lines.append(["lag", _lag(seen)])
    lines.append(["recovery", _recovery(seen, now)])
    lines += [["" if number else "executions", text] for number, text in enumerate(_executions(seen, standing))]
    if waits := seen.text("waitingFor"):
        lines.append(["waits for", _line(waits)])
    if wake := seen.text("nextWakeAt") or seen.text("lastSeal", "nextWakeAt"):
        lines.append(["next wake", f"{wake} ({_due(wake, now)})"])
    if drilled := seen.text("lastDrill", "time"):
        lines.append(["last drill", f"{_ago(drilled, now)}, at {seen.text('lastDrill', 'position')}"])
    if seen.text("lastFailure", "reason"):
        lines += _failure(seen, now)
    lines += _to_do(seen)
    newest = sorted(events, key=_event_time)[-_MOST_EVENTS:]
    for number, event in enumerate(newest):
        told = f"{age(_event_time(event), now)} {event.get('reason', '')}: {_line(str(event.get('message', '')))}"
        lines.append(["" if number else "events", told])
    return table(lines, cut=False)


def rows(found: Sequence[Seen], now: datetime, *, namespaced: bool, wide: bool) -> list[list[str]]:
    """A line for each, with the names of the columns above them."""
    more = ["POD", "RESTORED-FROM", "POSITION", "STORE", "NEXT-WAKE", "WAITS-FOR", "MESSAGE"] if wide else []
    head = [*(["NAMESPACE"] if namespaced else []), "NAME", "PHASE", "REASON", "EPOCH", "OPEN", "NODE", "AGE", *more]
    return [head, *(_row(one, now, namespaced=namespaced, wide=wide) for one in found)]


def _row(seen: Seen, now: datetime, *, namespaced: bool, wide: bool) -> list[str]:
    ready = seen.condition("Ready")
    cells = [seen.namespace] if namespaced else []
    cells += [seen.name, _coloured(seen.phase), ready.reason if ready else "", seen.text("epoch")]
    cells += [seen.text("executions", "open"), seen.text("node")]
    cells.append(age(str(seen.document["metadata"].get("creationTimestamp", "")), now))
    if wide:
        cells += [seen.text("podName"), seen.text("restoredFrom"), seen.text("position")]
        cells.append(str((seen.storage.get("storeRef") or {}).get("name", "")))
        cells += [seen.text("nextWakeAt"), _line(seen.text("waitingFor")), _line(ready.message) if ready else ""]
    return cells


def _coloured(phase: str) -> str:
    colour = _COLOURS.get(phase)
    return phase if colour is None else click.style(phase, fg=colour)


def _asked_for(seen: Seen) -> str:
    if seen.is_suspended:
        return f", suspended: `dormouse resume {seen.name}` lets it go on"
    return "" if seen.status else ": no operator has seen it yet; `dormouse doctor` looks for one"


def _pod(seen: Seen, pod: dict[str, Any] | None) -> str:
    if pod is None:
        return "none" + (
            "" if seen.phase in _AT_REST or not seen.text("podName") else f"; {seen.text('podName')} is gone"
        )
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    told = [f"{one['name']} {_container(one)}" for one in containers]
    node = (pod.get("spec") or {}).get("nodeName")
    where = f" on {node}" if node else " on no node yet"
    return f"{pod['metadata']['name']}{where}{': ' if told else ''}{', '.join(told)}"


def _container(status: dict[str, Any]) -> str:
    state = status.get("state") or {}
    now = "ready" if status.get("ready") else "not ready"
    for kind in ("waiting", "terminated"):
        if kind in state:
            now = f"{kind}: {state[kind].get('reason') or 'no reason given'}"
    restarts = status.get("restartCount") or 0
    return now + (f" ({restarts} restart{'' if restarts == 1 else 's'})" if restarts else "")


def _epoch(seen: Seen, now: datetime) -> str:
    epoch = seen.text("epoch")
    if not epoch or epoch == "0":
        return "none yet"
    claimed = seen.text("claimedAt")
    told = [f"{epoch}{f', claimed {_ago(claimed, now)}' if claimed else ''}"]
    if origin := seen.text("restoredFrom"):
        at = seen.text("restoredAt")
        told.append(f"restored from {origin}{f' {_ago(at, now)}' if at else ''}")
    if former := seen.text("adoptedFrom", "uid"):
        told.append(f"adopted from workflow {former} at epoch {seen.text('adoptedFrom', 'epoch')}")
    return "; ".join(told)


def _store(seen: Seen) -> str:
    name = (seen.storage.get("storeRef") or {}).get("name", "")
    told = f"{name}, {seen.storage.get('durability', 'Sync')}"
    return f"{told}, at {seen.text('position')} when it was told last" if seen.text("position") else told


def _lag(seen: Seen) -> str:
    found = seen.condition("Replicating")
    if found is None or (found.status != "True" and seen.phase in _AT_REST):
        return "none: nothing runs" if seen.phase in _AT_REST else "not known yet"
    if found.status != "True":
        return f"{found.reason}: {_line(found.message)}"
    if seen.storage.get("durability", "Sync") == "Sync":
        return "none: what was acknowledged is in the store"
    return f"at most {seen.storage.get('maxLagSeconds', 30)} s behind"


def _recovery(seen: Seen, now: datetime) -> str:
    begins, ends = seen.text("recoveryWindow", "from"), seen.text("recoveryWindow", "to")
    if not begins:
        return "not told yet"
    return f"to every moment since {begins} ({_ago(begins, now)}); told {_ago(ends, now)}"


def _executions(seen: Seen, standing: StatusView | str) -> list[str]:
    if not isinstance(standing, str):
        return [_counts({"open": standing.open, **{one: getattr(standing, one) for one in _DOING}})]
    told = seen.status.get("executions")
    if told is None:
        return [standing]
    return [f"{_counts(told)}, as told last", f"the pod was not asked: {standing}"]


def _counts(counts: dict[str, Any]) -> str:
    doing = [f"{counts[one]} {one}" for one in _DOING if counts.get(one)]
    return f"{counts.get('open', 0)} open{': ' if doing else ''}{', '.join(doing)}"


def _failure(seen: Seen, now: datetime) -> list[list[str]]:
    reason = seen.text("lastFailure", "reason")
    count = seen.status.get("failures") or 0
    row = f", {count} in a row" if count > 1 else ""
    told = f"{reason} in epoch {seen.text('lastFailure', 'epoch')}, {_ago(seen.text('lastFailure', 'time'), now)}{row}"
    lines = [["last failure", told]]
    if message := seen.text("lastFailure", "message"):
        lines.append(["", _line(message)])
    return [*lines, ["", f"=> {REMEDIES[reason]}"]] if reason in REMEDIES else lines


def _to_do(seen: Seen) -> list[list[str]]:
    """What is wrong now, and what a person can do about it; each reason once."""
    lines, told = [], set()
    for kind in (*_BAD_WHEN_TRUE, *_BAD_WHEN_FALSE):
        found = seen.condition(kind)
        bad = found is not None and found.status == ("True" if kind in _BAD_WHEN_TRUE else "False")
        if found is None or not bad or found.reason not in REMEDIES or found.reason in told:
            continue
        told.add(found.reason)
        lines.append(
            [
                kind.lower() if kind in _BAD_WHEN_TRUE else f"not {kind.lower()}",
                f"{found.reason}: {_line(found.message)}",
            ]
        )
        lines.append(["", f"=> {REMEDIES[found.reason]}"])
    return lines


def _ago(moment: str, now: datetime) -> str:
    found = age(moment, now)
    return found if found.startswith("in ") or not found else f"{found} ago"


def _due(moment: str, now: datetime) -> str:
    found = age(moment, now)
    return found if found.startswith("in ") else f"due since {found}"


def _event_time(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _line(text: str) -> str:
    return " ".join(text.split())
