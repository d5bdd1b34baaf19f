"""What does an execution's log hold, what must come next when it is replayed, and what is added to it?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from dormouse.engine.folding import LARGE
from dormouse.engine.journal import CLOSINGS, COMMANDS, Event, Journal, Kind

_PATCHED = Kind.PATCHED.value  # looked at in every step, and an enum is slow to find its members
_event: Callable[[tuple[object, ...]], Event] = partial(tuple.__new__, Event)
"""Makes an event of all its fields, as `Event` itself would, but without running Python's own code for it."""


class Log:
    """One execution's log.

    Attributes:
        moment: when its last event happened that the workflow noticed.
        run: the position of the event with which the present run began.
        last_position: of its last event.
        length: how many events it has, as far as the code has come.
        commands: the highest number that was given.
        first_command: the highest number that an earlier run had given.
        replaying: whether the code only repeats what the log holds.
        expected: what the code must still ask for, patches that may have no mark any more among them.
    """

    __slots__ = (
        "_journal", "_key", "_patches", "commands", "expected", "first_command", "last_position", "length", "moment",
        "replaying", "run",
    )  # fmt: skip

    def __init__(self, journal: Journal, key: int) -> None:
        self._journal = journal
        self._key = key
        self.expected: deque[Event] = deque()
        self._patches: dict[str, bool] = {}
        self.moment = 0
        self.run = key
        self.last_position: int | None = None
        self.length = 0
        self.commands = 0
        self.first_command = 0
        self.replaying = False

    # Replaying.

    def expect(self, events: Sequence[Event]) -> None:
        """The code is about to run over these."""
        self.expected = deque(event for event in events if event.kind in COMMANDS)
        self._patches = {event.name: True for event in self.expected if event.kind == Kind.PATCHED and event.name}
        self.run = events[0].position
        self.last_position = events[-1].position
        self.commands = self.first_command = events[0].command or 0
        self.length = 0
        self.replaying = True

    def upcoming(self) -> Event | None:
        """What the code must ask for next. A patch whose mark the code has lost is everybody's way now."""
        expected = self.expected
        while expected:
            event = expected[0]
            if event.kind != _PATCHED:
                return event
            expected.popleft()
            self.length += 1
        return None

    @property
    def rest(self) -> list[Event]:
        """What the code must still ask for, from `upcoming` on."""
        return [] if self.upcoming() is None else list(self.expected)

    @property
    def left(self) -> int:
        """How much of what it had asked for the code has not asked for again."""
        return len(self.expected)

    def repeated(self) -> None:
        """The code asked for what was upcoming."""
        self.expected.popleft()
        self.length += 1

    def is_patched(self, name: str) -> bool:
        """Whether the code runs with this patch; asked for the first time where no log goes on, it does from here."""
        known = self._patches.get(name)
        if known is None:
            known = self._patches[name] = self.upcoming() is None
            if known:
                self.record(Kind.PATCHED, name=name)
        elif self.expected and self.expected[0].kind == Kind.PATCHED and self.expected[0].name == name:
            self.repeated()
        return known

    # Adding.

    def record(
        self,
        kind: str,
        command: int | None = None,
        payload: bytes | None = None,
        at: int | None = None,
        name: str | None = None,
        source: str | None = None,
        attempt: int | None = None,
        due: int | None = None,
        key: str | None = None,
    ) -> Event:
        """Add an event. What the code decides counts at once, what it has to hear of once it does.

        Each step adds two. They name no arguments, since Python takes half as long again to put those into order.
        """
        journal = self._journal
        position = journal.next_position  # as `reserve`, which a call in each step would make twice as long
        journal.next_position = position + 1
        moment = self.moment
        if at is not None and at > moment:
            moment = at
        last = self.last_position
        # A plain text, because SQLite asks Python how to write each value that is of no plain type.
        kept = (position, self._key, str(kind), moment, last, command, name, attempt, due, payload, source, key)
        event = _event(kept)
        journal.batch.events.append(event)
        if payload is not None and len(payload) > LARGE:
            journal.batch.large[position] = self.run
        self.last_position = position
        if kind in COMMANDS:
            self.length += 1
        return event

    def begin(self, kind: Kind, at: int, *, position: int, name: str, payload: bytes | None) -> Event:
        """Add the event with which a replay begins: nothing comes before it."""
        self.moment = at
        self.run = self.last_position = position
        self.length = 0
        self.first_command = self.commands
        self._patches.clear()
        command = self.commands or None
        event = Event(position, self._key, kind._value_, at, None, command, name, payload=payload)
        self._journal.batch.events.append(event)
        if payload is not None and len(payload) > LARGE:
            self._journal.batch.large[position] = position
        return event


def what_counts(events: Sequence[Event]) -> list[Event]:
    """A log without what was taken back by retries of the execution. Pure."""
    kept: list[Event] = []
    for event in events:
        messages = _take_back(kept) if event.kind == Kind.EXECUTION_RETRIED else []
        kept.append(event)
        kept += messages  # told after the retry, which says up to where numbers have been given
    return kept


_MESSAGES = frozenset({Kind.SIGNAL_RECEIVED, Kind.UPDATE_ACCEPTED})


def _take_back(kept: list[Event]) -> list[Event]:
    """Take back the end, and what led to it; but never a message, whose sender was told that it had arrived.

    Gives the messages that are to be told again.
    """
    end = kept.pop()
    assert end.kind in CLOSINGS  # noqa: S101 - only what has ended is retried
    culprit = _culprit(kept, end)
    if culprit is None:
        return []
    cut = kept.index(culprit)
    requested = {event.command for event in kept[:cut] if event.kind == Kind.APPROVAL_REQUESTED}
    messages = [
        event
        for event in kept[cut:]
        if event.kind in _MESSAGES or (event.kind == Kind.APPROVAL_DECIDED and event.command in requested)
    ]
    del kept[cut:]
    kept[:] = [event for event in kept if not (event.kind == Kind.ATTEMPT_FAILED and event.command == end.command)]
    return messages


def _culprit(kept: list[Event], end: Event) -> Event | None:
    if end.kind == Kind.EXECUTION_CANCELLED:
        return next((event for event in reversed(kept) if event.kind == Kind.CANCEL_REQUESTED), None)
    if end.kind != Kind.EXECUTION_FAILED or end.command is None:
        return None
    failures = {Kind.ACTIVITY_FAILED, Kind.CHILD_FAILED}
    return next((event for event in kept if event.kind in failures and event.command == end.command), None)
