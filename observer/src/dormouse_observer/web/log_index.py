"""Where in an execution's log lies what a page shows? Numbers only, so that a very long log needs little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from dormouse.engine.journal import Kind

CALLS = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.TIMER_SET, Kind.CHILD_STARTED, Kind.APPROVAL_REQUESTED})
ENDS_OF_CALLS = frozenset(
    {
        *(Kind.ACTIVITY_COMPLETED, Kind.ACTIVITY_FAILED, Kind.ACTIVITY_CANCELLED),
        *(Kind.TIMER_FIRED, Kind.TIMER_CANCELLED),
        *(Kind.CHILD_COMPLETED, Kind.CHILD_FAILED, Kind.CHILD_CANCELLED),
        *(Kind.APPROVAL_DECIDED, Kind.APPROVAL_EXPIRED, Kind.APPROVAL_WITHDRAWN),
    }
)
MESSAGES = frozenset({Kind.SIGNAL_RECEIVED, Kind.UPDATE_ACCEPTED, Kind.CANCEL_REQUESTED})
_FAILURES = frozenset({Kind.ACTIVITY_FAILED, Kind.CHILD_FAILED})
_OPEN = -1
# Texts, because an enum is slow to find its members, and there may be very many events.
_calls, _ends, _failures = (frozenset(str(kind) for kind in kinds) for kinds in (CALLS, ENDS_OF_CALLS, _FAILURES))
_messages = frozenset(str(kind) for kind in MESSAGES)


class LogIndex:
    """Grows with a log. Events and calls have numbers here, from 0 on in their order.

    Attributes:
        positions, moments: of the events.
        begins: of each call the number of the event that asked for it.
        open: the number of each call that has not ended, by its command.
        attempts: of each call whose attempts have failed the numbers of these events.
        messages: the numbers of the events with which somebody sent something.
        runs: the numbers of the events with which a run began that followed another one.
        was_retried: whether an end was taken back, so that not everything in the log counts.
    """

    def __init__(self) -> None:
        self.positions = array("q")
        self.moments = array("q")
        self.begins = array("q")
        self._ends = array("q")
        self.open: dict[int, int] = {}
        self.attempts: dict[int, array[int]] = {}
        self.messages = array("q")
        self.runs = array("q")
        self.was_retried = False
        self._failed: dict[int, int] = {}
        self._culprit: int | None = None

    @property
    def last_position(self) -> int:
        """Of the last event that it has been told of."""
        return self.positions[-1] if self.positions else 0

    def add(self, position: int, kind: str, at: int, command: int | None) -> None:
        """The log's next event."""
        number = len(self.positions)
        self.positions.append(position)
        self.moments.append(at)
        if command is not None and kind in _calls:
            self.open[command] = len(self.begins)
            self.begins.append(number)
            self._ends.append(_OPEN)
        elif command is not None and kind in _ends:
            self._end(number, kind, command)
        elif kind == "AttemptFailed" and command in self.open:
            self.attempts.setdefault(self.open[command], array("q")).append(number)
        elif kind in _messages:
            self.messages.append(number)
        elif kind == "ExecutionFailed":
            self._culprit = command
        elif kind == "ExecutionRetried":
            self._retry()
        elif kind == "ExecutionContinued":
            self.runs.append(number)
            for call in self.open.values():
                self._ends[call] = number
            self.open.clear()

    def end_of(self, call: int) -> int | None:
        """The number of the event with which a call ended."""
        end = self._ends[call]
        return None if end == _OPEN else end

    def number_of(self, position: int) -> int:
        """Of the event at this position."""
        return bisect_left(self.positions, position)

    def call_of(self, number: int) -> int | None:
        """The call that an event asked for, ended, or was a failed attempt of; of an end that was taken back none."""
        call = bisect_left(self.begins, number)
        if call < len(self.begins) and self.begins[call] == number:
            return call
        if number in self._ends:
            return self._ends.index(number)
        return next((call for call, numbers in self.attempts.items() if number in numbers), None)

    def _end(self, number: int, kind: str, command: int) -> None:
        call = self.open.pop(command, None)
        if call is None:
            return
        self._ends[call] = number
        if kind in _failures:
            self._failed[command] = call

    def _retry(self) -> None:
        self.was_retried = True
        call = None if self._culprit is None else self._failed.pop(self._culprit, None)
        if call is not None and self._culprit is not None:
            self._ends[call] = _OPEN
            self.open[self._culprit] = call
