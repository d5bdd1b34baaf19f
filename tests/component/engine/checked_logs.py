"""Is what a file holds what the reference model makes of it? And has each child followed its parent?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise, takewhile
from pathlib import Path

import msgspec
from reference_model import Model, decisions_in_log, end_in_log

from dormouse.client.file import DatabaseFile
from dormouse.engine.journal import Event
from dormouse.engine.log import what_counts
from dormouse.engine.querying import Row


def logs_are_the_models(path: Path) -> None:
    """Raises for the first log that holds something else than its program would have asked for."""
    with DatabaseFile(path) as file:
        for row in file.rows():
            _check_against_model(row, what_counts(file.events(row)))
            for earlier, later in pairwise(earlier_runs(path, row.key)):
                if earlier and later:
                    left = _check_against_model(row, what_counts(earlier), continued=True)
                    assert signals_taken_over(later) == left, "a signal got lost between two rounds"


def _check_against_model(row: Row, events: list[Event], *, continued: bool = False) -> list[str]:
    """Raises when the log is not the model's; gives the signals that were not received."""
    model = Model(events, row.id, row.seed)
    try:
        decided, recorded = model.decisions, decisions_in_log(events)
        assert recorded == decided[: len(recorded)]
        end, modelled = end_in_log(events), model.end()
        if continued:
            assert modelled == ("ExecutionContinued", None)
            assert recorded == decided
        elif end is not None and end[0] != "ExecutionTerminated":
            assert end == modelled
            assert recorded == decided
        return model.signals_left()
    finally:
        model.close()


def earlier_runs(path: Path, execution: int) -> list[list[Event]]:
    """The events of each run as they were written; none of one with a payload that the file keeps in parts."""
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {', '.join(Event._fields)} FROM event WHERE execution = ? ORDER BY position"
        events = [Event._make(row) for row in connection.execute(query, (execution,))]
    begins = [number for number, event in enumerate(events) if event.kind == "ExecutionContinued"]
    runs = [events[begin:end] for begin, end in pairwise([0, *begins, len(events)])]
    return [run if all((event.payload or b"{") >= b"\t" for event in run) else [] for run in runs]


def signals_taken_over(run: list[Event]) -> list[str]:
    """With which signals a run begins."""
    taken = takewhile(lambda event: event.kind == "SignalReceived" and event.key is None, run[1:])
    return [msgspec.json.decode(event.payload or b"null") for event in taken]


def orphans_that_go_on(path: Path) -> Iterator[str]:
    """Children of parents that have ended, which should have ended too, or been asked to, in the same transaction."""
    with closing(sqlite3.connect(path)) as connection:
        query = """
            SELECT child.id, max(event.kind = 'CancelRequested')
            FROM execution AS child JOIN execution AS parent ON parent.key = child.parent
            JOIN event ON event.execution = child.key
            WHERE parent.closed_position IS NOT NULL AND child.closed_position IS NULL GROUP BY child.key
        """
        for child, was_asked in connection.execute(query):
            if child.endswith("-terminate") or not (was_asked or child.endswith("-abandon")):
                yield child
