"""What is left of an execution when its log ends earlier, and which events can have another answer? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from dormouse.engine.decision import Verdict
from dormouse.engine.ending import STATUS_AFTER, Status
from dormouse.engine.journal import CLOSINGS, Event, Kind
from dormouse.engine.log import what_counts
from dormouse.engine.payload import encode
from dormouse.errors import DormouseError

_TIMED = frozenset({Kind.TIMER_SET, Kind.APPROVAL_REQUESTED, Kind.ATTEMPT_FAILED})
_ENDS = frozenset(
    {
        *(Kind.ACTIVITY_COMPLETED, Kind.ACTIVITY_FAILED, Kind.ACTIVITY_CANCELLED),
        *(Kind.TIMER_FIRED, Kind.TIMER_CANCELLED),
        *(Kind.APPROVAL_DECIDED, Kind.APPROVAL_EXPIRED, Kind.APPROVAL_WITHDRAWN),
    }
)
_AS_IT_IS = frozenset({Kind.EXECUTION_STARTED, Kind.EXECUTION_CONTINUED, Kind.SIGNAL_RECEIVED, Kind.UPDATE_ACCEPTED})
_CHILD_ENDS = frozenset({Kind.CHILD_COMPLETED, Kind.CHILD_FAILED})
_ACTIVITY_ENDS = frozenset({Kind.ACTIVITY_COMPLETED, Kind.ACTIVITY_FAILED})
_ANSWERS = frozenset({*_ACTIVITY_ENDS, *_CHILD_ENDS, *_AS_IT_IS, Kind.APPROVAL_DECIDED})


class NotForked(DormouseError):
    """The fork cannot be made; the message says why, and what to do. Nothing was written."""


@dataclass(frozen=True)
class Rest:
    """An execution whose log ends with the last of some events.

    Attributes:
        status: Open, unless the last event is an end.
        ended: the last event, if it is an end.
        timers: what is due and when, by the number of the call.
        approvals: the positions of the requests that wait for a decision.
    """

    status: Status
    ended: Event | None
    timers: dict[int, int]
    approvals: tuple[int, ...]


def rest_of(events: Sequence[Event]) -> Rest:
    """What is left, of the events of the newest run that are left."""
    last = events[-1]
    if last.kind in CLOSINGS:
        return Rest(STATUS_AFTER[Kind(last.kind)], last, {}, ())
    timers: dict[int, int] = {}
    approvals: dict[int, int] = {}
    for event in what_counts(events):
        command = event.command or 0
        if event.kind in _TIMED and event.due is not None:
            timers[command] = event.due
        if event.kind == Kind.APPROVAL_REQUESTED:
            approvals[command] = event.position
        if event.kind in _ENDS:
            timers.pop(command, None)
            approvals.pop(command, None)
    return Rest(Status.OPEN, None, timers, tuple(approvals.values()))


def can_be_answered(kind: str) -> bool:
    """Whether an event of this kind can have another answer."""
    return kind in _ANSWERS


def answers(one: Event, asked: Event) -> bool:
    """Whether an event is the answer to what was asked for by another."""
    return can_be_answered(one.kind) and asked.command is not None and one.command == asked.command


def with_answer(event: Event, answer: bytes, answered_at: int | None = None) -> Event:
    """The event with another answer, as JSON. A failure becomes a success: what is given is what is returned.

    Args:
        answered_at: the event that is the answer to this one, for whoever has taken one for the other.

    Raises:
        NotForked: when nobody has answered anything there, or that was the answer.
    """
    edited = _edited(event, answer)
    if edited is None:
        instead = "the end of an activity or a child, a decision, a signal, an update or the start"
        raise NotForked(
            f"event {event.position} ({event.kind}) is no answer, so there is none to --edit: choose "
            f"{instead if answered_at is None else f'event {answered_at}, which is its answer'}"
        )
    if (edited.kind, edited.name) == (event.kind, event.name) and _value(edited) == _value(event):
        raise NotForked(
            f"--edit has the answer that event {event.position} ({event.kind}) holds already; give another, or leave "
            "--edit out"
        )
    return edited


def _value(event: Event) -> bytes:
    """The same for the same value; 1 and true are two."""
    return msgspec.json.encode(msgspec.json.decode(event.payload or b"null"), order="sorted")


def _edited(event: Event, answer: bytes) -> Event | None:
    if event.kind in _ACTIVITY_ENDS:
        return event._replace(kind=Kind.ACTIVITY_COMPLETED.value, attempt=None, payload=answer)
    if event.kind in _CHILD_ENDS:
        completed = Kind.CHILD_COMPLETED.value, Kind.EXECUTION_COMPLETED.value
        return event._replace(kind=completed[0], name=completed[1], payload=answer)
    if event.kind == Kind.APPROVAL_DECIDED:
        return event._replace(payload=_verdict(answer))
    if event.kind in _AS_IT_IS:
        return event._replace(payload=answer)
    return None


def _verdict(answer: bytes) -> bytes:
    try:
        verdict = msgspec.json.decode(answer, type=Verdict)
    except msgspec.ValidationError as error:
        raise NotForked(
            f'--edit of a decision is {{"outcome": "approved" or "rejected", "by": "...", "reason": "..."}}: {error}'
        ) from error
    try:
        verdict.check()
    except DormouseError as error:
        raise NotForked(f"--edit of a decision: {error}") from error
    return encode(verdict)
