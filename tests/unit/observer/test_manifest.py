"""Does a person learn how far behind the live workflow a pulled file may be?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dormouse.replica.current import Base, Current, LineageEntry, State
from dormouse_observer.manifest import Executions, Life, Manifest, behind, lives_of, manifest_text
from dormouse_observer.web.pages import lineage

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


def test_the_lives_up_to_the_position_are_told_with_what_each_began_with() -> None:
    root, claimed = "prefix/shop/orders", "2026-05-01T12:00:00Z"
    found = replace(
        current(State.ACTIVE),
        lineage=(
            LineageEntry(1, f"{root}/epochs/1", claimed, Base("prefix/shop/others/epochs/4", 4, 17)),
            LineageEntry(2, f"{root}/epochs/2", claimed, Base(f"{root}/epochs/1", 1, 9)),
            LineageEntry(3, f"{root}/epochs/3"),
            LineageEntry(4, f"{root}/epochs/4", claimed, Base(f"{root}/epochs/3", 3, 1)),
        ),
    )
    lives = lives_of(found, root, 3)
    assert lives == (
        Life(1, claimed, "4/17", of_another=True),
        Life(2, claimed, "1/9"),
        Life(3),
    ), "the fourth began after what is in the file"
    shown = dict(lineage(msgspec.structs.replace(manifest(), lives=lives)))
    assert shown["life 1"] == f"since {claimed}, restored from 4/17 of another workflow"
    assert shown["life 2"] == f"since {claimed}, restored from 1/9"
    assert shown["life 3"] == "began with nothing that was restored"


def test_only_the_newest_lives_are_on_a_page() -> None:
    many = msgspec.structs.replace(manifest(), lives=tuple(Life(epoch) for epoch in range(1, 31)))
    assert [name for name, _ in lineage(many) if name.startswith("life ")] == [f"life {one}" for one in range(11, 31)]
