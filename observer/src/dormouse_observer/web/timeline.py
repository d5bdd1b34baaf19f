"""Where does each call stand in the picture of an execution? A window of them, never all. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dormouse.client.forks import Fork
from dormouse.engine.clock import SECOND
from dormouse_observer.web.durations import duration, took
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.reader import Entry

COUNTS = (20, 40, 80)
"""How many calls a window may have. A call is four elements: with the most, there are fewer than 500."""
_ROW, _AXIS = 28, 22
_BUCKETS = 40
_MOST_TICKS = 30
_MOST_MARKS = 6
_LAST_ATTEMPTS = 3
_LEAST_WIDTH = 0.4
_RIGHT_HALF = 55.0
_MINUTE, _HOUR, _DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
_STEPS = [
    *(base * 10**power for power in range(7) for base in (1, 2, 5)),
    *(count * unit for unit in (SECOND, _MINUTE) for count in (10, 15, 30)),
    *(count * _HOUR for count in (1, 2, 3, 6, 12)),
    *(count * _DAY * 10**power for power in range(6) for count in (1, 2, 5)),
]

State = Literal["done", "failed", "cancelled", "open"]


@dataclass(frozen=True)
class Window:
    """Calls from the number `first` on."""

    first: int
    count: int


@dataclass(frozen=True)
class Bar:
    """A call. `x`, `width` and `ticks` are in percent of the picture's width, `y` in pixels.

    Attributes:
        position: of the event that asked for it.
        ticks: where attempts failed, the last ones.
        to_left: whether its label ends where the bar ends.
    """

    number: int
    position: int
    kind: str
    name: str
    state: State
    source: str | None
    began: int
    took: str
    failures: int
    x: float
    width: float
    y: int
    ticks: tuple[float, ...]
    to_left: bool

    @property
    def label(self) -> str:
        """What is written beside it."""
        if not self.failures:
            return f"{self.name} · {self.took}"
        attempts = "attempt" if self.failures == 1 else "attempts"
        return f"{self.name} · {self.took} · {self.failures:,} failed {attempts}"


@dataclass(frozen=True)
class Mark:
    """A moment on the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Bucket:
    """A stretch of time in the overview: how many calls began in it, and the first of them."""

    x: float
    width: float
    height: float
    first: int
    count: int


@dataclass(frozen=True)
class Timeline:
    """A window of the calls, and where it is among all of them."""

    window: Window
    total: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    height: int
    overview: tuple[Bucket, ...]
    shown_x: float
    shown_width: float

    @property
    def last(self) -> int:
        """The number of the last call that is shown."""
        return self.window.first + len(self.bars) - 1

    @property
    def earlier(self) -> int | None:
        """Where the window before this one begins."""
        return max(0, self.window.first - self.window.count) if self.window.first else None

    @property
    def later(self) -> int | None:
        """Where the window after this one begins."""
        return self.last + 1 if self.last + 1 < self.total else None


def window_of(index: LogIndex, first: int | None, count: int | None) -> Window:
    """The nearest one that there is; without a first call the beginning."""
    most = COUNTS[1] if count not in COUNTS else int(count or 0)
    return Window(max(0, min(first or 0, len(index.begins) - 1)), most)


def positions_of(index: LogIndex, window: Window) -> list[int]:
    """Of the events that the picture is made of."""
    found = set[int]()
    for call in _calls(index, window):
        found.add(index.positions[index.begins[call]])
        end = index.end_of(call)
        if end is not None:
            found.add(index.positions[end])
    return sorted(found)


def timeline(
    index: LogIndex, window: Window, entries: Mapping[int, Entry], until: int, forks: Sequence[Fork] = ()
) -> Timeline:
    """Lay it out.

    Args:
        index: of the log.
        window: of what is shown.
        entries: the events of `positions_of`, by position.
        until: when the last that is known happened.
        forks: of which the file is one.
    """
    calls = _calls(index, window)
    moments = index.moments
    begin = min((moments[index.begins[call]] for call in calls), default=0)
    ends = [index.end_of(call) for call in calls]
    end = max((moments[one] for one in ends if one is not None), default=begin)
    is_open = None in ends
    if is_open:
        end = max(end, until, *(moments[index.begins[call]] for call in calls))
    span = max(1, end - begin)
    if is_open:
        span = span * 12 // 11 + 1  # what goes on reaches beyond the last that is known
    ticks_left = _MOST_TICKS
    bars = []
    for row, call in enumerate(calls):
        bar = _bar(index, call, row, entries, begin, span, ticks_left, forks)
        ticks_left -= len(bar.ticks)
        bars.append(bar)
    overview = _overview(index)
    shown = _shown(index, calls)
    origin = moments[0] if moments else 0
    return Timeline(
        window,
        len(index.begins),
        tuple(bars),
        _marks(begin, span, origin) if bars else (),
        _AXIS + _ROW * len(bars),
        overview,
        *shown,
    )


def _calls(index: LogIndex, window: Window) -> range:
    return range(window.first, min(window.first + window.count, len(index.begins)))


def _bar(
    index: LogIndex,
    call: int,
    row: int,
    entries: Mapping[int, Entry],
    begin: int,
    span: int,
    ticks_left: int,
    forks: Sequence[Fork],
) -> Bar:
    asked = entries[index.positions[index.begins[call]]]
    end = index.end_of(call)
    ended = None if end is None else entries[index.positions[end]]
    began = index.moments[index.begins[call]]
    x = _percent(began - begin, span)
    until = begin + span if end is None else index.moments[end]
    width = max(_LEAST_WIDTH, _percent(until - began, span))
    x = min(x, 100 - _LEAST_WIDTH)
    width = min(width, 100 - x)
    attempts = index.attempts.get(call)
    last = attempts[-min(_LAST_ATTEMPTS, ticks_left) :] if attempts and ticks_left > 0 else ()
    return Bar(
        call,
        asked.position,
        _KINDS.get(asked.kind, asked.kind),
        asked.name or _KINDS.get(asked.kind, asked.kind),
        _state(ended),
        asked.source,
        began,
        "not ended" if end is None else took(began, until, forks),
        len(attempts or ()),
        x,
        round(width, 3),
        _AXIS + _ROW * row,
        tuple(_percent(index.moments[number] - begin, span) for number in last),
        to_left=x > _RIGHT_HALF,
    )


_KINDS = {
    "ActivityScheduled": "activity",
    "TimerSet": "timer",
    "ChildStarted": "child",
    "ApprovalRequested": "approval",
}


def _state(ended: Entry | None) -> State:
    if ended is None:
        return "open"
    if ended.kind.endswith(("Failed", "Expired")):
        return "failed"
    return "cancelled" if ended.kind.endswith(("Cancelled", "Withdrawn", "Continued")) else "done"


def _marks(begin: int, span: int, origin: int) -> tuple[Mark, ...]:
    """Round moments, counted from the execution's first event."""
    step = next((one for one in _STEPS if span // one < _MOST_MARKS), _STEPS[-1])
    first = -(-(begin - origin) // step) * step
    count = min(_MOST_MARKS, (begin + span - origin - first) // step + 1)
    moments = [first + step * number for number in range(count)]
    return tuple(Mark(_percent(one + origin - begin, span), f"+{duration(one)}" if one else "0") for one in moments)


def _overview(index: LogIndex) -> tuple[Bucket, ...]:
    begins, moments = index.begins, index.moments
    if not begins:
        return ()
    first, last = moments[0], moments[-1]
    span = max(1, last - first)
    numbers = range(len(begins))
    edges = [
        bisect_left(numbers, first + span * bucket // _BUCKETS, key=lambda number: moments[begins[number]])
        for bucket in range(_BUCKETS)
    ]
    edges.append(len(begins))
    most = max(after - before for before, after in pairwise(edges)) or 1
    width = 100 / _BUCKETS
    return tuple(
        Bucket(round(width * bucket, 3), round(width * 0.8, 3), round(max(3, 24 * count / most), 1), before, count)
        for bucket, (before, after) in enumerate(pairwise(edges))
        for count in [after - before]
        if count > 0
    )


def _shown(index: LogIndex, calls: range) -> tuple[float, float]:
    """Which part of the overview the window is."""
    if not calls:
        return 0.0, 100.0
    moments = index.moments
    span = max(1, moments[-1] - moments[0])
    begin = _percent(moments[index.begins[calls[0]]] - moments[0], span)
    end = _percent(moments[index.begins[calls[-1]]] - moments[0], span)
    return begin, round(max(1.0, min(end - begin + 100 / _BUCKETS, 100 - begin)), 3)


def _percent(part: int, whole: int) -> float:
    return round(max(0.0, min(100.0, 100 * part / whole)), 3)
