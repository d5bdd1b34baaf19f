"""Who is let in, and who is told what he lacks?"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dormouse.runtime.access import TokenFile
from dormouse.runtime.refusals import Refused
from dormouse.runtime.server import Request
from dormouse.token_file import InvalidTokens

FIRST, SECOND = "first-token-of-many", "second-token-of-many"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"{FIRST}\n\n{SECOND}\n")
    return path


def shown(authorization: str | None) -> Request:
    headers = {} if authorization is None else {"authorization": authorization}
    return Request("GET", "/status", {}, headers)


def replace(path: Path, text: str) -> None:
    """As the kubelet does it: another file takes the name."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.rename(path)


@pytest.mark.parametrize("authorization", [f"Bearer {FIRST}", f"bearer  {SECOND}"])
def test_each_token_of_the_file_is_let_in(file: Path, authorization: str) -> None:
    TokenFile(file).check(shown(authorization))


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        (f"Basic {FIRST}", "Bearer"),
        (FIRST, "Bearer"),
        ("Bearer ", 'Bearer error="invalid_token"'),
        (f"Bearer {FIRST}x", 'Bearer error="invalid_token"'),
        (f"Bearer {FIRST}\n{SECOND}", 'Bearer error="invalid_token"'),
        ("Bearer ä", 'Bearer error="invalid_token"'),
    ],
)
def test_whoever_shows_no_token_or_another_is_refused(file: Path, authorization: str | None, challenge: str) -> None:
    with pytest.raises(Refused, match="--token-file") as refused:
        TokenFile(file).check(shown(authorization))
    assert refused.value.reason == "Unauthorized"
    assert refused.value.headers == (("www-authenticate", challenge),)


def test_a_file_that_changes_is_read_again(file: Path) -> None:
    tokens = TokenFile(file)
    replace(file, "third-token-of-many")
    tokens.check(shown("Bearer third-token-of-many"))
    with pytest.raises(Refused):
        tokens.check(shown(f"Bearer {FIRST}"))


def test_a_file_that_is_gone_lets_nobody_in_until_it_is_back(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens = TokenFile(file)
    file.unlink()
    with caplog.at_level(logging.ERROR), pytest.raises(Refused):
        tokens.check(shown(f"Bearer {FIRST}"))
    assert "nobody is let in" in caplog.text
    file.write_text(FIRST)
    tokens.check(shown(f"Bearer {FIRST}"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no token"),
        ("\n \n", "holds no token"),
        ("short", "at least 16 characters"),
        (f"{FIRST}\nwith a space in it", "token 2 of"),
        ("ä" * 16, "no text in ASCII"),
    ],
)
def test_a_file_that_cannot_work_is_refused_and_shows_no_token(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(content)
    with pytest.raises(InvalidTokens, match=said) as refused:
        TokenFile(path)
    assert FIRST not in str(refused.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidTokens, match=r"/tokens cannot be read: No such file"):
        TokenFile(tmp_path / "tokens")
