"""Which tokens does a file hold? One on each line; the servers take any of them, a client shows the first."""

from __future__ import annotations

import re
from pathlib import Path

from dormouse.errors import DormouseError

SHORTEST = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what RFC 6750 lets a bearer token consist of


class InvalidTokens(DormouseError):
    """A token, or a file of tokens, cannot be used; the message names it, and never shows a token."""


def read_tokens(path: Path) -> list[str]:
    """All tokens of a file.

    Raises:
        InvalidTokens: when it cannot be read, holds none, or one that cannot be one.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise InvalidTokens(f"the token file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidTokens(f"the token file {path} holds what is no text in ASCII") from None
    tokens = [line.strip() for line in lines if line.strip()]
    for number, token in enumerate(tokens, 1):
        check_token(token, f"token {number} of {path}")
    if not tokens:
        raise InvalidTokens(f"the token file {path} holds no token; make one with: openssl rand -hex 32")
    return tokens


def check_token(token: str, called: str) -> None:
    """Raises InvalidTokens when it cannot be sent in a header, or is guessed too easily."""
    if not _TOKEN.fullmatch(token):
        raise InvalidTokens(f"{called} may have letters, digits and the signs - . _ ~ + / and = at its end")
    if len(token) < SHORTEST:
        raise InvalidTokens(f"{called} must have at least {SHORTEST} characters; openssl rand -hex 32 makes one")
