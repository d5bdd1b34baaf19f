"""Does a person learn how far behind the live workflow a pulled file may be?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dormouse.replica.current import Current, State
from dormouse_observer.manifest import Executions, Manifest, behind, manifest_text

PULLED = datetime(2026, 5, 1, 12, tzinfo=UTC)


def manifest(age: timedelta = timedelta(seconds=3), *, is_newest: bool = True) -> Manifest:
    return Manifest(
        name="orders",
        namespace="shop",
        source="s3://bucket/shop/orders",
        position="2/17",
        written_at=PULLED - age,
        pulled_at=PULLED,
        is_newest=is_newest,
        state="Active",
        identity="uid",
        sha256="0" * 64,
        bytes=49152,
        executions=Executions(1, 2, ()),
    )


def current(state: State) -> Current:
    return Current(1, "nonce", "uid", "uid", 2, "owner", state)


def test_of_one_that_runs_it_is_said_what_may_be_missing() -> None:
    told = behind(manifest(), current(State.ACTIVE))
    assert told.startswith("the newest that the store held, written 3 s ago. Its pod may have written since")


def test_of_one_that_rests_nothing_is_missing() -> None:
    assert behind(manifest(), current(State.SEALED)).startswith("all there is")


def test_an_earlier_position_is_called_that() -> None:
    assert behind(manifest(is_newest=False), current(State.SEALED)).endswith("the store holds later positions")


@pytest.mark.parametrize(
    ("age", "said"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 minutes"), (7200, "2 hours"), (86400 * 9, "9 days")],
)
def test_an_age_has_the_unit_that_people_would_use(age: float, said: str) -> None:
    assert f" {said} ago" in behind(manifest(timedelta(seconds=age)), current(State.ACTIVE))


def test_a_person_sees_what_the_file_is() -> None:
    shown = manifest_text(manifest(), "what it is", "o.sqlite")
    assert shown == ("o.sqlite: shop/orders at 2/17, 1 open and 2 closed executions, 49,152 bytes\nit is what it is")
