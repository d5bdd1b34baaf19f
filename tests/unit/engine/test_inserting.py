"""Are the events of a batch in the file as they were, however many and of whatever kinds?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import pytest

from dormouse.engine.database import Database
from dormouse.engine.journal import Batch, Event, Kind


def events() -> Iterator[Event]:
    """Some of a kind after each other, some alone; each with all that such an event can have."""
    for at in count(1):
        yield Event(3 * at, 1, Kind.ACTIVITY_SCHEDULED.value, at, at - 1, at, "step", payload=b"[1]", source="a.py:1")
        yield Event(3 * at + 1, 1, Kind.ACTIVITY_COMPLETED.value, at, at, at, payload=b"2")
        if at % 5 == 0:
            yield Event(3 * at + 2, 1, Kind.ATTEMPT_FAILED.value, at, at, at, "step", 3, 4, b"5", "b.py:6", f"key {at}")


@pytest.mark.parametrize("number", [1, 2, 8, 9, 50, 300])
@pytest.mark.parametrize("alike", [True, False], ids=["sorted", "mixed"])
def test_events_come_back_as_they_were_written(tmp_path: Path, number: int, *, alike: bool) -> None:
    written = list(islice(events(), number))
    if alike:
        written.sort(key=lambda event: event.kind)
    with closing(Database(tmp_path / "db.sqlite", checkpoints=True)) as database:
        database.commit(database.write(Batch(events=written)))
        assert [database.event(event.position) for event in written] == written
