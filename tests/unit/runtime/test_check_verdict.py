"""What does a replay check say of what it found?"""

from __future__ import annotations

import json
from pathlib import Path

from dormouse.engine.mismatch import Blocked
from dormouse.pod import TERMINATION_MESSAGE_BYTES, say_farewell
from dormouse.runtime.check import verdict
from dormouse.runtime.replaying import Replayed


def blocked(*ids: str, message: str = "differs") -> dict[str, Blocked]:
    return {one: Blocked("NonDeterministic", message) for one in ids}


def test_all_that_go_on_pass() -> None:
    ending = verdict("3/41", Replayed(2, {}, frozenset()))
    assert (ending.reason, ending.exit_code) == ("Replayed", 0)
    assert ending.facts == {"position": "3/41", "open": "2"}


def test_one_that_the_code_before_stopped_too_is_no_reason_to_keep_that_code() -> None:
    ending = verdict("3/41", Replayed(2, blocked("old"), frozenset({"old"})))
    assert (ending.reason, ending.exit_code) == ("Replayed", 0)
    assert "but for 1 that cannot go on with the one before either" in ending.message


def test_one_more_than_before_diverges_and_only_that_is_named() -> None:
    ending = verdict("3/41", Replayed(2, blocked("old", "new"), frozenset({"old"})))
    assert (ending.reason, ending.exit_code) == ("ReplayDiverged", 1)
    assert "execution new: differs" in ending.message
    assert "execution old" not in ending.message


def test_of_many_the_first_three_are_named_and_fit_into_a_termination_message(tmp_path: Path) -> None:
    found = Replayed(9, blocked(*"abcdefg", message="x" * 3000), frozenset())
    ending = verdict("3/41", found)
    assert ending.message.startswith("7 of 9 open executions")
    assert ending.message.endswith("\nand 4 more")
    say_farewell(tmp_path / "log", ending.reason, ending.message, **ending.facts)
    written = (tmp_path / "log").read_bytes()
    assert len(written) <= TERMINATION_MESSAGE_BYTES
    said = json.loads(written)
    assert (said["reason"], said["position"]) == ("ReplayDiverged", "3/41")
    assert "execution a: " in said["message"]
