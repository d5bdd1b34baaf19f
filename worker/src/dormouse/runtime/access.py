"""Who may use the API? Whoever shows a token of the file that the runtime was given; everybody when it has none."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from secrets import compare_digest

from dormouse.runtime.refusals import Refused
from dormouse.runtime.server import Request
from dormouse.token_file import InvalidTokens, read_tokens

_SCHEME = "bearer "
_REMEDY = "send the header Authorization: Bearer TOKEN; `dormouse` takes it by --token-file or DORMOUSE_TOKEN"
_log = logging.getLogger("dormouse.http")
_State = tuple[int, int, int]


class TokenFile:
    """Knows the tokens by their hashes, and reads them again when the file has changed: so a Secret is rotated.

    Raises:
        InvalidTokens: when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _State | None = None
        self._hashes: list[bytes] = []
        self._read()

    def check(self, request: Request) -> None:
        """Raises Refused when the request shows no token, or another one."""
        if self._state() != self._seen:
            self._read_again()
        given = request.headers.get("authorization", "")
        if given[: len(_SCHEME)].lower() != _SCHEME:
            raise Refused("Unauthorized", f"this needs a token: {_REMEDY}", ("www-authenticate", "Bearer"))
        found = sha256(given[len(_SCHEME) :].strip().encode()).digest()
        # All are compared, each in constant time: how long it takes tells nothing.
        if not sum(compare_digest(found, known) for known in self._hashes):
            challenge = ("www-authenticate", 'Bearer error="invalid_token"')
            raise Refused("Unauthorized", f"this is not the token: {_REMEDY}", challenge)

    def _state(self) -> _State | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> None:
        self._seen = self._state()
        self._hashes = [sha256(token.encode()).digest() for token in read_tokens(self._path)]

    def _read_again(self) -> None:
        try:
            self._read()
        except InvalidTokens as error:
            self._hashes = []
            _log.error("nobody is let in: %s", error)
