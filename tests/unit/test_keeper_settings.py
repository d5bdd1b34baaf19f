"""What does the keeper take from its environment for a history that begins elsewhere?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dormouse.keeper.settings import FromName, FromObject, parse
from dormouse.pod import InvalidSettings
from dormouse.replica.current import Position
from dormouse.replica.layout import Layout

NEEDED = {
    "DORMOUSE_NAME": "copy",
    "DORMOUSE_NAMESPACE": "team",
    "DORMOUSE_WORKFLOW_UID": "1",
    "DORMOUSE_POD_UID": "2",
    "DORMOUSE_EPOCH": "1",
    "DORMOUSE_STORE_BUCKET": "bucket",
    "DORMOUSE_STORE_PREFIX": "prod",
}
SOURCE = Layout("prod/team/orders")


@pytest.mark.parametrize(
    ("at", "meant"),
    [
        ("", None),
        ("3/41", Position(3, 41)),
        ("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T14:00:00.5+02:00", datetime(2026, 5, 1, 12, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_a_source_is_another_workflow_of_the_namespace_at_a_position_a_time_or_its_end(
    at: str, meant: Position | datetime | None
) -> None:
    settings = parse(NEEDED | {"DORMOUSE_RESTORE_FROM_NAME": "orders", "DORMOUSE_RESTORE_AT": at})
    assert settings.restore == FromName("orders", SOURCE, meant)
    assert settings.pauses_executions


@pytest.mark.parametrize("at", ["now", "3/", "0/1", "2026-05-01", "2026-05-01T12:00:00"])
def test_a_time_without_a_zone_and_what_is_no_time_at_all_are_refused(at: str) -> None:
    with pytest.raises(InvalidSettings, match="DORMOUSE_RESTORE_AT must be"):
        parse(NEEDED | {"DORMOUSE_RESTORE_FROM_NAME": "orders", "DORMOUSE_RESTORE_AT": at})


def test_a_source_is_a_file_with_its_checksum() -> None:
    asked = {"DORMOUSE_RESTORE_FROM_OBJECT": "old/orders.sqlite", "DORMOUSE_RESTORE_EXECUTIONS": "Running"}
    settings = parse(NEEDED | asked | {"DORMOUSE_RESTORE_SHA256": "ab"})
    assert settings.restore == FromObject("old/orders.sqlite", "ab")
    assert not settings.pauses_executions
    assert settings.layout.imported("old/orders.sqlite") == "prod/team/.imports/old/orders.sqlite"
    with pytest.raises(InvalidSettings, match="DORMOUSE_RESTORE_SHA256 is not set"):
        parse(NEEDED | asked)


def test_most_workflows_begin_empty() -> None:
    assert parse(NEEDED).restore is None
