"""In which form does a payload lie in the file, and how is it read? As it is, or taken apart when it is large."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from dormouse.engine.folding import fold, unfold
from dormouse.engine.journal import Event
from dormouse.engine.parts import Parts, PartsWriter

_PLAIN = b"\t"
"""JSON begins with this byte or a later one; what begins with an earlier one stands for a payload."""


_as_event = partial(tuple.__new__, Event)  # `Event._make` without its check


class _EventWithLargePayload(Event):
    """An event whose payload is put together each time that it is asked for, so that a log needs no memory for it.

    In the place of the payload the tuple has the function that gives it.
    """

    __slots__ = ()

    @property
    def payload(self) -> bytes | None:
        read: Any = self[Event._fields.index("payload")]
        return bytes(read())


class StoredPayloads:
    """Reads payloads, by a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._parts = Parts(connection)

    def event(self, row: Sequence[Any]) -> Event:
        """The event of a row."""
        return self._event(Event._make(row))

    def events(self, rows: Iterable[Sequence[Any]]) -> list[Event]:
        """The events of rows. They can be read from as long as the connection is open."""
        return [
            event if event.payload is None or event.payload >= _PLAIN else self._event(event)
            for event in map(_as_event, rows)
        ]

    def read(self, stored: bytes) -> bytes:
        """The payload that this stands for."""
        return unfold(stored, self._parts.read)

    def _event(self, event: Event) -> Event:
        stored = event.payload
        if stored is None or stored >= _PLAIN:
            return event
        return _EventWithLargePayload._make(event._replace(payload=partial(self.read, stored)))  # type: ignore[arg-type]


class PayloadsWriter:
    """Brings payloads into the form in which they are stored, inside of the writer's transaction."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        self._parts = PartsWriter(writer)

    def events(self, events: list[Event], large: Mapping[int, int]) -> list[Event]:
        """The events as they are written; `large` has the position of the run of those with a large payload, by
        their own position.
        """
        return [self._stored(event, large[event.position]) if event.position in large else event for event in events]

    def _stored(self, event: Event, run: int) -> Event:
        return event._replace(payload=fold(event.payload or b"", partial(self._parts.keep, run)))
