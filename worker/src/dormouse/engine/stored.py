"""In which form does a payload lie in the file, and how is it read? As it is, taken apart when large, or encoded.

What is taken apart is encoded afterwards, each part by itself. The first byte tells the three forms apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from dormouse.engine.folding import fold, unfold
from dormouse.engine.journal import Event
from dormouse.engine.mismatch import Blocked
from dormouse.engine.parts import Parts, PartsWriter, next_part, place_of_part
from dormouse.engine.sealing import SEALED, Codec, Sealing, is_sealed, seal_file, sealing_of

_PLAIN = b"\t"
"""JSON begins with this byte or a later one; what begins with an earlier one stands for a payload."""


_as_event = partial(tuple.__new__, Event)  # `Event._make` without its check


class _EventToBeRead(Event):
    """An event whose payload is put together each time that it is asked for, so that a log needs no memory for it.

    In the place of the payload the tuple has the function that gives it.
    """

    __slots__ = ()

    @property
    def payload(self) -> bytes | None:
        read: Any = self[Event._fields.index("payload")]
        return bytes(read())


class StoredPayloads:
    """Reads payloads, by a connection.

    Args:
        connection: to the file; what needs no payload is read without the codec.
        codec: of the file.
    """

    def __init__(self, connection: sqlite3.Connection, codec: Codec | None = None) -> None:
        self._connection = connection
        self._codec = codec
        self._parts = Parts(connection)
        self._known_sealing: tuple[Sealing | None] | None = None

    @property
    def _sealing(self) -> Sealing | None:
        if self._known_sealing is None:
            self._known_sealing = (sealing_of(self._connection, self._codec),)
        return self._known_sealing[0]

    def event(self, row: Sequence[Any]) -> Event:
        """The event of a row."""
        return self._event(Event._make(row))

    def events(self, rows: Iterable[Sequence[Any]]) -> list[Event]:
        """The events of rows. They can be read from as long as the connection is open."""
        if self._codec is not None:
            return [self._event(event) for event in map(_as_event, rows)]
        return [
            event if event.payload is None or event.payload >= _PLAIN else self._event(event)
            for event in map(_as_event, rows)
        ]

    def heartbeat(self, stored: bytes, execution: int, command: int) -> bytes:
        """The details of a heartbeat."""
        return self._opened(stored, place_of_heartbeat(execution, command))

    def blocked(self, stored: bytes | None, execution: int) -> Blocked | None:
        """Why an execution is blocked."""
        return None if not stored else _decode_blocked(self._opened(stored, place_of_blocked(execution)))

    def _event(self, event: Event) -> Event:
        stored = event.payload
        if stored is None or (stored >= _PLAIN and self._codec is None):
            return event
        return _EventToBeRead._make(event._replace(payload=partial(self._read, event)))  # type: ignore[arg-type]

    def _read(self, event: Event) -> bytes:
        stored = event.payload or b""
        return unfold(self._opened(stored, place_of_event(event), position=event.position), self._part)

    def _part(self, number: int) -> bytes:
        return self._opened(self._parts.read(number), place_of_part(number), part=number)

    def _opened(self, stored: bytes, place: str, *, position: int | None = None, part: int | None = None) -> bytes:
        sealing = self._sealing
        if stored[:1] != SEALED:
            if sealing is not None:
                sealing.refuse_plain(place, position=position, part=part)
            return stored
        assert sealing is not None  # noqa: S101 - only a file with a codec has what is sealed
        return sealing.open(stored, place)


class PayloadsWriter:
    """Brings payloads into the form in which they are stored, inside of the writer's transaction.

    Args:
        writer: the connection.
        codec: of the file; the first time that there is one, all that is written from then on is in its form.
        position: the next event's.
    """

    def __init__(self, writer: sqlite3.Connection, codec: Codec | None, position: int) -> None:
        self._writer = writer
        writer.execute("BEGIN IMMEDIATE")
        with writer:
            was_sealed = is_sealed(writer)
            self._sealing = seal_file(writer, codec, position=position, part=next_part(writer))
            if self._sealing is not None and not was_sealed:
                self._seal_what_changes()
        self._parts = PartsWriter(writer, self._sealing)
        self.digest_key = b"" if self._sealing is None else self._sealing.digest_key

    @property
    def seals(self) -> bool:
        return self._sealing is not None

    def events(self, events: list[Event], large: Mapping[int, int]) -> list[Event]:
        """The events as they are written; `large` has the position of the run of those with a large payload, by
        their own position.
        """
        changed = large if self._sealing is None else {event.position for event in events if event.payload is not None}
        return [self._stored(event, large) if event.position in changed else event for event in events]

    def heartbeat(self, details: bytes | None, execution: int, command: int) -> bytes | None:
        """The details of a heartbeat as they are written."""
        return self._sealed(details, place_of_heartbeat(execution, command))

    def blocked(self, why: Blocked | None, execution: int) -> bytes | None:
        """As it is written."""
        return None if why is None else self._sealed(msgspec.json.encode(why), place_of_blocked(execution))

    def _seal_what_changes(self) -> None:
        """Events stay as they are, but these are written again and again: it does not show since when."""
        update, rows = self._writer.executemany, self._writer.execute
        update(
            "UPDATE heartbeat SET details = ? WHERE execution = ? AND command = ?",
            [
                (self.heartbeat(details, execution, command), execution, command)
                for execution, command, details in rows("SELECT execution, command, details FROM heartbeat").fetchall()
            ],
        )
        update(
            "UPDATE execution SET blocked = ? WHERE key = ?",
            [
                (self._sealed(blocked, place_of_blocked(key)), key)
                for key, blocked in rows("SELECT key, blocked FROM execution WHERE blocked IS NOT NULL").fetchall()
            ],
        )

    def _stored(self, event: Event, large: Mapping[int, int]) -> Event:
        payload = event.payload or b""
        if event.position in large:
            payload = fold(payload, partial(self._parts.keep, large[event.position]))
        return event._replace(payload=self._sealed(payload, place_of_event(event)))

    def _sealed(self, content: bytes | None, place: str) -> bytes | None:
        return content if self._sealing is None or content is None else self._sealing.seal(content, place)


def place_of_event(event: Event) -> str:
    """All that says what the payload means, so that it cannot come to mean something else."""
    return f"event {event.position} {event.execution} {event.kind} {event.command} {event.name}"


def place_of_heartbeat(execution: int, command: int) -> str:
    return f"heartbeat {execution} {command}"


def place_of_blocked(execution: int) -> str:
    return f"blocked {execution}"


_decode_blocked = msgspec.json.Decoder(Blocked).decode
