"""How is what a file's codec makes of payloads bound to their places, and to this file?

A file that was opened with a codec once holds a random secret, itself in the codec's form. It opens only with the
right codec, so that a wrong one is noticed before anything is written. With the secret, digests of values are keyed:
who has the file cannot try out what a value may have been. What comes after the moment when the file was sealed must
be in the codec's form, so that nobody puts in a plain value from outside.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from hashlib import sha256
from typing import Protocol

import msgspec

from dormouse.errors import CannotDecode


def keyed_digest(content: bytes, key: bytes) -> bytes:
    """The same for the same content. With a key, nobody without it can try out what the content was."""
    return hmac.digest(key, content, "sha256") if key else sha256(content).digest()


SEALED = b"\x03"
"""What begins with this byte is in the codec's form; JSON never does."""
_META = "codec"


class Codec(Protocol):
    """Changes what is stored of payloads, such as by encryption.

    Attributes:
        name: of the form that `encode` gives now, for people, such as the id of a key.
    """

    @property
    def name(self) -> str: ...

    def encode(self, payload: bytes, place: bytes) -> bytes:
        """What is stored of a payload at a place of the file. It must only be read at the same place."""
        ...

    def decode(self, stored: bytes, place: bytes) -> bytes:
        """The payload, also of a form that `encode` gave earlier.

        Raises:
            CannotDecode: with what is missing, or when it is not what was stored at this place.
        """
        ...


class _Secret(msgspec.Struct, frozen=True):
    """What the codec keeps in its own form; `position` and `part` are the first that it has to be."""

    key: bytes
    position: int
    part: int


class _Record(msgspec.Struct, frozen=True):
    """What the file says of its codec."""

    name: str
    secret: bytes


class Sealing:
    """The codec of one file."""

    def __init__(self, codec: Codec, secret: _Secret) -> None:
        self._codec = codec
        self._secret = secret
        self.digest_key = secret.key
        self._file = secret.key[:8].hex()

    def seal(self, content: bytes, place: str) -> bytes:
        """What is stored at this place."""
        return SEALED + self._codec.encode(content, self._place(place))

    def open(self, stored: bytes, place: str) -> bytes:
        """What was stored at this place."""
        return self._codec.decode(stored[1:], self._place(place))

    def refuse_plain(self, place: str, *, position: int | None = None, part: int | None = None) -> None:
        """Raises CannotDecode when what is there should be in the codec's form."""
        secret = self._secret
        earlier = (position is not None and position < secret.position) or (part is not None and part < secret.part)
        if not earlier:
            raise CannotDecode(
                f"what the file holds at {place!r} is not encoded, as everything there is since it has a codec: "
                "something else has written it; restore the file"
            )

    def _place(self, place: str) -> bytes:
        return f"{self._file} {place}".encode()


def is_sealed(connection: sqlite3.Connection) -> bool:
    return _record(connection) is not None


def sealing_of(connection: sqlite3.Connection, codec: Codec | None) -> Sealing | None:
    """How the file is sealed; None when it is not.

    Raises:
        CannotDecode: when it is, and this codec does not fit.
    """
    record = _record(connection)
    if record is None:
        return None
    if codec is None:
        raise CannotDecode(
            f"the payloads of this file are encoded, by {record.name}; give the codec, for encryption its keys in "
            "DORMOUSE_ENCRYPTION_KEYS or DORMOUSE_ENCRYPTION_KEYS_FILE"
        )
    return Sealing(codec, _decode_secret(codec.decode(record.secret, b"secret")))


def seal_file(writer: sqlite3.Connection, codec: Codec | None, *, position: int, part: int) -> Sealing | None:
    """Open a file with a codec; at the first time everything from this event and this part on is to be sealed.

    Raises:
        CannotDecode: when the file is sealed, and this codec does not fit.
    """
    sealing = sealing_of(writer, codec)
    if codec is None:
        return None
    record = _record(writer)
    if sealing is not None and record is not None and record.name == codec.name:
        return sealing
    secret = _Secret(secrets.token_bytes(32), position, part) if sealing is None else sealing._secret
    renewed = _Record(codec.name, codec.encode(msgspec.json.encode(secret), b"secret"))
    text = msgspec.json.encode(renewed).decode()
    writer.execute("INSERT OR REPLACE INTO dormouse_meta VALUES (?, ?)", (_META, text))
    return Sealing(codec, secret)


def _record(connection: sqlite3.Connection) -> _Record | None:
    found = connection.execute("SELECT value FROM dormouse_meta WHERE key = ?", (_META,)).fetchone()
    return None if found is None else _decode_record(found[0])


_decode_record = msgspec.json.Decoder(_Record).decode
_decode_secret = msgspec.json.Decoder(_Secret).decode
