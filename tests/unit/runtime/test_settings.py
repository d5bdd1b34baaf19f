"""What does the runtime take from its environment, and how does it say what is wrong there?"""

from __future__ import annotations

import pytest

from dormouse import Retention
from dormouse.encryption import AesGcm
from dormouse.pod import InvalidSettings
from dormouse.runtime.settings import parse

NEEDED = {
    "DORMOUSE_NAME": "shop",
    "DORMOUSE_NAMESPACE": "team",
    "DORMOUSE_WORKFLOW_UID": "1",
    "DORMOUSE_POD_UID": "2",
    "DORMOUSE_EPOCH": "1",
}


def test_executions_are_kept_for_ever_unless_it_is_said_for_how_long() -> None:
    assert parse(NEEDED).retention is None
    main = frozenset({"main"})
    assert parse(NEEDED | {"DORMOUSE_KEEP_COUNT": "0"}).retention == Retention(0, None, never=main)
    both = {"DORMOUSE_KEEP_COUNT": "10", "DORMOUSE_KEEP_SECONDS": "60"}
    assert parse(NEEDED | both).retention == Retention(10, 60, never=main)


def test_values_are_encrypted_when_there_are_keys() -> None:
    assert parse(NEEDED).codec is None
    codec = parse(NEEDED | {"DORMOUSE_ENCRYPTION_KEYS": "one:" + "b29v" * 10 + "b28="}).codec
    assert isinstance(codec, AesGcm)
    assert codec.name == "AES-GCM, key one"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"DORMOUSE_KEEP_COUNT": "-1"}, "DORMOUSE_KEEP_COUNT must be 0 or more, not -1"),
        ({"DORMOUSE_KEEP_SECONDS": "1d"}, "DORMOUSE_KEEP_SECONDS must be a whole number, not '1d'"),
        ({"DORMOUSE_ENCRYPTION_KEYS": "one"}, "entry 1 of the keys has no id"),
        ({"DORMOUSE_ENCRYPTION_KEYS_FILE": "/nowhere"}, "the keys in /nowhere cannot be read"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        parse(NEEDED | wrong)
