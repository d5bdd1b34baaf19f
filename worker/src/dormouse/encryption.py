"""Who can read what a workflow's file and its copies in the store hold? Only who has a key: AES-GCM over payloads.

```python
from dormouse import Engine
from dormouse.encryption import AesGcm

Engine("orders.sqlite", orders, codec=AesGcm.from_file("keys"))
```

Needs the extra `encryption`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dormouse.errors import CannotDecode, DormouseError
from dormouse.extras import NotInstalled

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEYS_VARIABLE = "DORMOUSE_ENCRYPTION_KEYS"
FILE_VARIABLE = "DORMOUSE_ENCRYPTION_KEYS_FILE"
_KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_VERSION = b"\x01"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_FORM = "keys are written as ID:BASE64, one after the other, the newest last; BASE64 is 32 random bytes"


class InvalidKeys(DormouseError):
    """The keys cannot be read; the message says which one, and never shows it."""


class AesGcm:
    """A codec that encrypts payloads by AES-256-GCM, so that they are only read where they were written.

    Each codec derives a key of its own for what it encrypts: so many payloads that random nonces could meet are out
    of reach for one life of a workflow.

    Args:
        keys: of 32 bytes, by their ids. The last one encrypts, all of them decrypt.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise InvalidKeys(f"there is no key; {_FORM}")
        for name, key in keys.items():
            _check(name, key)
        self._keys = dict(keys)
        self._newest = list(keys)[-1]
        self._cipher = lru_cache(maxsize=256)(self._derived)
        self._salt = os.urandom(_SALT_BYTES)
        self._head = _VERSION + bytes([len(self._newest)]) + self._newest.encode() + self._salt
        self._encrypt = self._cipher(self._newest, self._salt).encrypt

    @classmethod
    def from_file(cls, path: Path | str) -> AesGcm:
        """With the keys of a file.

        Raises:
            InvalidKeys, NotInstalled: with what to do.
        """
        try:
            return cls(read_keys(Path(path).read_text(encoding="ascii")))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidKeys(f"the keys in {path} cannot be read: {error}") from error

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> AesGcm | None:
        """With the keys of `DORMOUSE_ENCRYPTION_KEYS`, or of the file that `DORMOUSE_ENCRYPTION_KEYS_FILE` names.

        None when neither is set.

        Raises:
            InvalidKeys, NotInstalled: with what to do.
        """
        text, path = environment.get(KEYS_VARIABLE), environment.get(FILE_VARIABLE)
        if text and path:
            raise InvalidKeys(f"{KEYS_VARIABLE} and {FILE_VARIABLE} are both set; set one of them")
        if text:
            return cls(read_keys(text))
        return cls.from_file(path) if path else None

    @property
    def name(self) -> str:
        """For people."""
        return f"AES-GCM, key {self._newest}"

    def encode(self, payload: bytes, place: bytes) -> bytes:
        """Encrypt a payload for one place."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._encrypt(nonce, payload, place)

    def decode(self, stored: bytes, place: bytes) -> bytes:
        """Decrypt what was encrypted for this place, by any of the keys.

        Raises:
            CannotDecode: when the key is missing, or it was not encrypted for this place by this key.
        """
        from cryptography.exceptions import InvalidTag

        if stored[:1] != _VERSION or len(stored) == 1:
            raise CannotDecode("a payload is not encrypted by AES-GCM; the file has another codec")
        name_ends = 2 + stored[1]
        salt_ends = name_ends + _SALT_BYTES
        nonce_ends = salt_ends + _NONCE_BYTES
        name = stored[2:name_ends].decode(errors="replace")
        if name not in self._keys:
            raise CannotDecode(
                f"a payload was encrypted with the key {name!r}, and the keys here are {', '.join(self._keys)}; "
                "add it before the newest"
            )
        try:
            cipher = self._cipher(name, stored[name_ends:salt_ends])
            return cipher.decrypt(stored[salt_ends:nonce_ends], stored[nonce_ends:], place)
        except (InvalidTag, ValueError) as error:
            raise CannotDecode(
                f"a payload does not open with the key {name!r}: either this is another key of that id, or the file "
                "was changed from outside; bring the right key, or restore the file"
            ) from error

    def _derived(self, name: str, salt: bytes) -> AESGCM:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise NotInstalled("dormouse.encryption", "cryptography", "encryption") from error
        return AESGCM(hmac.digest(self._keys[name], b"dormouse payloads" + salt, "sha256"))


def read_keys(text: str) -> dict[str, bytes]:
    """Keys by their ids, in their order.

    Raises:
        InvalidKeys: naming the one that is wrong.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(text.split(), start=1):
        name, colon, encoded = entry.partition(":")
        if not colon or not _ID.fullmatch(name):
            raise InvalidKeys(f"entry {number} of the keys has no id of letters, digits, dots and dashes; {_FORM}")
        if name in keys:
            raise InvalidKeys(f"two keys have the id {name!r}; give the newer one another id")
        try:
            keys[name] = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise InvalidKeys(f"the key {name!r} is not base64: {error}; {_FORM}") from error
        _check(name, keys[name])
    return keys


def _check(name: str, key: bytes) -> None:
    if not _ID.fullmatch(name):
        raise InvalidKeys(f"{name!r} cannot be the id of a key; use up to 32 letters, digits, dots and dashes")
    if len(key) != _KEY_BYTES:
        raise InvalidKeys(f"the key {name!r} has {len(key)} bytes, and AES-256 takes {_KEY_BYTES}; {_FORM}")
