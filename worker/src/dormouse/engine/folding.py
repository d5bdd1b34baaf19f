"""How is a large payload taken apart, so that what it repeats lies in the file only once? Pure.

An agent sends its whole conversation with every call. So each value of a list or an object that is large is kept as
a part of its own, found by its content, and what is left of the payload refers to it: sent again, it costs a few
bytes. Parts are taken apart in the same way. A list of very many values is cut into runs that are parts as well, so
that one which only grows at its end costs what was added, however long it is.

`fold` and `unfold` know nothing of the file: `keep` gives the number of a part, and `read` the part of a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

LARGE = 1024
"""What has no more bytes is stored as it is."""
_PART = 512
"""A value below this is not worth a part of its own."""
_MOST_LEVELS = 8
# JSON has neither of these bytes: it begins with none, and a control character in a text is written as an escape.
_FOLDED = b"\x01"
_REFERS = b"\x02"
_NUMBER_BYTES = 5
_REFERENCE = re.compile(_REFERS + rb"(.{%d})" % _NUMBER_BYTES, re.DOTALL)

Keep = Callable[[bytes], int]
Read = Callable[[int], bytes]


def fold(payload: bytes, keep: Keep) -> bytes:
    """Take a payload apart; what is returned stands for it."""
    if len(payload) <= LARGE or _REFERS in payload:
        return payload
    folded = _fold(payload, keep, _MOST_LEVELS)
    return folded if len(folded) <= LARGE else _FOLDED + _reference(keep(folded))


def unfold(stored: bytes, read: Read) -> bytes:
    """The payload that this stands for."""
    if stored[:1] != _FOLDED:
        return stored
    return _REFERENCE.sub(lambda found: unfold(read(int.from_bytes(found[1], "big")), read), stored[1:])


def references(stored: bytes) -> list[int]:
    """The parts that this is put together from; they may be put together themselves."""
    return [int.from_bytes(found, "big") for found in _REFERENCE.findall(stored)] if stored[:1] == _FOLDED else []


def _fold(text: bytes, keep: Keep, levels: int) -> bytes:
    """What stands for one value: its text, unless something in it is large enough to be a part."""
    taken = _taken_apart(text) if levels else None
    if taken is None:
        return text
    pieces = []
    for before, value in taken:
        pieces.append(before + (value if len(value) < _PART else _reference(keep(_fold(value, keep, levels - 1)))))
    while sum(map(len, pieces)) > LARGE:
        pieces = [run if len(run) < _PART else _reference(keep(_marked(run))) for run in _runs(pieces)]
    return _marked(b"".join(pieces))


def _taken_apart(text: bytes) -> list[tuple[bytes, bytes]] | None:
    """The values of a list or an object, each with what stands before it; the last has none, and ends it.

    None for what has no values, and for what was not written by us: put together again it would not be the same.
    """
    try:
        if text[:1] == b"[":
            values = [(b",", bytes(raw)) for raw in _decode_list(text)]
            end = b"]"
        elif text[:1] == b"{":
            values = [(b",%b:" % msgspec.json.encode(name), bytes(raw)) for name, raw in _decode_object(text).items()]
            end = b"}"
        else:
            return None
    except (msgspec.DecodeError, RecursionError):
        return None
    if values:
        values[0] = (text[:1] + values[0][0][1:], values[0][1])
    values.append((end, b""))
    return values if b"".join(map(b"".join, values)) == text else None


def _runs(pieces: list[bytes]) -> Iterator[bytes]:
    """Neighbours put together until they are worth a part; the same ones for a list and one that goes on from it."""
    run = b""
    for piece in pieces:
        run += piece
        if len(run) >= _PART:
            yield run
            run = b""
    yield run


def _marked(text: bytes) -> bytes:
    return _FOLDED + text if _REFERS in text else text


def _reference(number: int) -> bytes:
    return _REFERS + number.to_bytes(_NUMBER_BYTES, "big")


_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
