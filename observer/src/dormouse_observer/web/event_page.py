"""What is on an event's page? It, the other end of its call, its neighbours, and the commands that go on from it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from dormouse.client.forks import edited_in, fork_text
from dormouse.engine.journal import CLOSINGS
from dormouse.errors import CannotDecode
from dormouse_observer.forking.rest import can_be_answered
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.pages import Shown, shown
from dormouse_observer.web.reader import Entry, Listed, PagedFile
from dormouse_observer.web.waiting import Commands

_LONGEST_EDITED = 300
_MOST_ATTEMPTS = 10


@dataclass(frozen=True)
class EventPage:
    """An event.

    Attributes:
        name: of what was called, also where only the event that asked for it has it.
        asked: the event that asked for what came of it here, and `input` with which values.
        ended: the event with which the call that is asked for here ended, and `answer` with what.
        attempts: the events of its attempts that failed, the last ones.
        child: the execution that the call is, if it is one.
        edited: the fork in which the answer was edited, if it was.
    earlier, later: the neighbours in the log.
    """

    row: Listed
    entry: Entry
    name: str
    payload: Shown
    asked: Entry | None
    input: Shown | None
    ended: Entry | None
    answer: Shown | None
    attempts: tuple[int, ...]
    child: Listed | None
    earlier: Entry | None
    later: Entry | None
    commands: tuple[tuple[str, str], ...]
    edited: str


def event_page(file: PagedFile, row: Listed, position: int, names: Commands) -> EventPage:
    """The event at this position.

    Raises:
        UnknownExecution: when the execution has none there.
    """
    entry = file.event_at(row, position)
    index = file.index(row.key)
    number = index.number_of(position)
    call = None if entry.command is None else index.call_of(number)
    begin = None if call is None else index.begins[call]
    end = None if call is None else index.end_of(call)
    asked = _at(file, index, begin) if begin != number else None
    ended = _at(file, index, end) if end != number and begin == number else None
    forks = edited_in(file.forks)
    edited = forks.get(position) or (forks.get(ended.position) if ended is not None else None)
    attempts = () if call is None else tuple(index.attempts.get(call, ()))
    return EventPage(
        row,
        entry,
        (asked.name if asked is not None else None) or entry.name or "",
        shown(file, position),
        asked,
        shown(file, asked.position) if asked else None,
        ended,
        shown(file, ended.position) if ended else None,
        tuple(index.positions[one] for one in attempts[-_MOST_ATTEMPTS:] if one != number),
        file.child_of(row, entry.command) if entry.kind.startswith("Child") else None,
        _at(file, index, number - 1 if number else None),
        _at(file, index, number + 1),
        _commands(file, row, entry, names) if number >= (index.runs[-1] if index.runs else 0) else (),
        "" if edited is None else fork_text(edited),
    )


def _at(file: PagedFile, index: LogIndex, number: int | None) -> Entry | None:
    if number is None or number >= len(index.positions):
        return None
    return next(iter(file.entries([index.positions[number]])), None)


def _commands(file: PagedFile, row: Listed, entry: Entry, names: Commands) -> tuple[tuple[str, str], ...]:
    """What somebody can do who has seen it: nothing with placeholders, since code decides by values."""
    if names.is_redacted:
        return ()
    about = f"{shlex.quote(names.file)} --execution {shlex.quote(row.id)}"
    found = [("step through your code from here on", f"dormouse debug {about} --code . --break-at {entry.position}")]
    fork = f"dormouse fork {about} --at {entry.position} --code . -o"
    if entry.kind not in CLOSINGS:
        found.append(("go on from here in a file of its own", f"{fork} {names.beside('fork')}"))
    if can_be_answered(entry.kind):
        edit = f"{fork} {names.beside('mended')} --edit {_editable(file, entry)}"
        found.append(("the same with another answer", edit))
    return tuple(found)


def _editable(file: PagedFile, entry: Entry) -> str:
    """What was recorded, to be changed before the command is given; a placeholder where that cannot be in one."""
    if entry.kind.endswith("Failed") or (entry.size or 0) > _LONGEST_EDITED:
        return "JSON"
    try:
        text = (file.payload(entry.position) or b"").decode()
    except (CannotDecode, UnicodeDecodeError):
        return "JSON"
    return shlex.quote(text) if text and len(text) <= _LONGEST_EDITED and text.isprintable() else "JSON"
