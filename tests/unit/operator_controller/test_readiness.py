"""Is a replica ready exactly while it would notice what happens?"""

from __future__ import annotations

from dataclasses import replace

from dormouse_operator.controller.readiness import HEARD_SECONDS, Senses, objections

WELL = Senses(is_filled=True, is_watching=True, heard_at=100.0)


def test_who_lists_watches_and_hears_is_ready() -> None:
    assert list(objections(WELL, 100 + HEARD_SECONDS)) == []


def test_each_thing_that_is_missing_is_named() -> None:
    deaf = replace(WELL, is_filled=False, is_watching=False, is_known=False)
    assert list(objections(deaf, 101 + HEARD_SECONDS)) == [
        "not everything was listed yet",
        "the API server refuses the operator's token (401)",
        "the watches ended, and have not begun anew",
        "the API server has not answered for 30 s",
    ]
