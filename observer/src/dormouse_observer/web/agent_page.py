"""What is on an agent's page? Calls of a window, with their values as far as these can be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from dormouse.client.forks import edited_in
from dormouse.engine.journal import Kind
from dormouse.engine.payload import decode_failure
from dormouse.errors import CannotDecode
from dormouse_observer.web.durations import took
from dormouse_observer.web.lane import UNKNOWN, Lane, Recorded, lane
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.payload_view import LARGEST_DECODED, size_text
from dormouse_observer.web.prices import PriceList
from dormouse_observer.web.reader import Listed, PagedFile
from dormouse_observer.web.waiting import Commands, Sentence, sentence

CALLS = 25
"""On a page."""
_LOOKED_AT = 12
"""Of the first calls, and of the last ones."""
_BEFORE = 6
"""Calls from which the conversation is known when a page begins."""
_KINDS = {Kind.ACTIVITY_SCHEDULED: "activity", Kind.CHILD_STARTED: "child", Kind.APPROVAL_REQUESTED: "approval"}


@dataclass(frozen=True)
class AgentPage:
    """A part of what an execution did, as a conversation; `edited` are the events whose answer a fork has edited."""

    row: Listed
    sentence: Sentence
    lane: Lane
    first: int
    total: int
    prices: PriceList | None
    edited: frozenset[int] = frozenset()

    @property
    def last(self) -> int:
        """The number after that of the last call of this page."""
        return min(self.first + CALLS, self.total)

    @property
    def earlier(self) -> int | None:
        """Where the page before this one begins."""
        return max(0, self.first - CALLS) if self.first else None

    @property
    def later(self) -> int | None:
        """Where the page after this one begins."""
        return self.last if self.last < self.total else None


def agent_page(file: PagedFile, row: Listed, names: Commands, first: int | None, prices: PriceList | None) -> AgentPage:
    """The calls from this number on, with what they cost by these prices."""
    index = file.index(row.key)
    total = len(index.begins)
    begins = max(0, min(first or 0, total - 1))
    before = _recorded(file, index, range(max(0, begins - _BEFORE), begins))
    shown = _recorded(file, index, range(begins, min(begins + CALLS, total)))
    said = sentence(row, file.standings([row])[row.key], names)
    edited = frozenset(edited_in(file.forks))
    return AgentPage(row, said, lane(shown, before, prices), begins, total, prices, edited)


def is_agent(file: PagedFile, row: Listed) -> bool:
    """Whether one of an execution's first or last calls is of a model or of a tool."""
    known = file.agents.get(row.key)
    if known is None:
        index = file.index(row.key)
        total = len(index.begins)
        looked_at = sorted({*range(min(_LOOKED_AT, total)), *range(max(0, total - _LOOKED_AT), total)})
        known = file.agents[row.key] = lane(_recorded(file, index, looked_at)).is_agent
    return known


def _recorded(file: PagedFile, index: LogIndex, calls: Iterable[int]) -> list[Recorded]:
    found = []
    for call in calls:
        end = index.end_of(call)
        ended = None if end is None else index.positions[end]
        event, last = file.pair(index.positions[index.begins[call]], ended)
        kind = _KINDS.get(Kind(event.kind))
        if kind is None:
            continue
        given, problem = _value(file, event.position)
        came, failure = UNKNOWN, ""
        if last is not None and last.kind.endswith("Failed"):
            failure = _failure(file, last.position)
        elif last is not None and last.kind.endswith(("Completed", "Decided")):
            came, trouble = _value(file, last.position)
            problem = problem or trouble
        elif last is not None:
            failure = last.kind
        spent = "" if last is None else took(event.at, last.at, file.forks)
        found.append(
            Recorded(event.position, ended, kind, event.name or kind, event.at, spent, given, came, problem, failure)
        )
    return found


def _value(file: PagedFile, position: int) -> tuple[Any, str]:
    """A payload's value; or none, and why."""
    try:
        payload = file.payload(position)
        if payload is None:
            return UNKNOWN, ""
        if len(payload) > LARGEST_DECODED:
            return UNKNOWN, f"{size_text(len(payload))} are too much to be read here"
        return msgspec.json.decode(payload), ""
    except CannotDecode as missing:
        return UNKNOWN, str(missing)
    except (msgspec.DecodeError, RecursionError):
        return UNKNOWN, "it is no JSON that can be read here"


def _failure(file: PagedFile, position: int) -> str:
    try:
        return str(decode_failure(file.payload(position) or b"null"))
    except CannotDecode as missing:
        return str(missing)
