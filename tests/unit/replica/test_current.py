"""Is CURRENT read exactly, and is everything else refused?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dormouse.replica.current import (
    Base,
    Current,
    CurrentMalformed,
    ForkOf,
    Former,
    ImportOf,
    LineageEntry,
    Origin,
    Position,
    SealReason,
    State,
    decode,
    encode,
)
from dormouse.replica.layout import Layout, epoch_of, first_transaction, transactions

RECORD = Current(
    revision=3,
    nonce="n",
    workflow_uid="w",
    identity="i",
    epoch=2,
    owner="pod",
    state=State.SEALED,
    seal_reason=SealReason.HIBERNATED,
    next_wake_at="2026-01-01T00:00:00+00:00",
    lineage=(
        LineageEntry(1, "a", "2025-01-01T00:00:00+00:00", None, True, None),
        LineageEntry(2, "b", "2025-01-02T00:00:00+00:00", Base("a", 1, 17), True, 4),
    ),
    adopted_from=(Former("before", 1),),
)


def test_a_record_survives_its_bytes() -> None:
    assert decode(encode(RECORD)) == RECORD


def test_two_writes_of_the_same_facts_have_different_bytes() -> None:
    assert encode(RECORD.next("x")) != encode(RECORD.next("y"))
    assert RECORD.next("x").revision == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 2}, "format 2 is not known"),
        ({"epoch": "2"}, "epoch is not of type int"),
        ({"epoch": True}, "epoch is not of type int"),
        ({"revision": 0}, "revision is 0"),
        ({"state": "Asleep"}, "'Asleep' is not a valid State"),
        ({"sealReason": None}, "state Sealed with sealReason None"),
        ({"lineage": [1]}, "lineage[0]. is not a JSON object"),
        ({"lineage": []}, "not the last of the lineage"),
        ({"owner": None}, "owner is missing"),
        ({"adoptedFrom": [{"workflowUID": "before"}]}, "adoptedFrom[0].epoch is missing"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], named: str) -> None:
    document = json.loads(encode(RECORD)) | change
    with pytest.raises(CurrentMalformed) as caught:
        decode(json.dumps(document).encode())
    assert named in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_record_is_malformed(data: bytes) -> None:
    with pytest.raises(CurrentMalformed):
        decode(data)


def test_a_lineage_out_of_order_is_malformed() -> None:
    document = json.loads(encode(RECORD))
    document["lineage"] = [document["lineage"][1], document["lineage"][0], document["lineage"][1]]
    with pytest.raises(CurrentMalformed, match="order of its epochs"):
        decode(json.dumps(document).encode())


def test_a_position_is_epoch_and_transaction() -> None:
    assert Position.parse("3/17") == Position(3, 17)
    assert str(Position(3, 17)) == "3/17"
    assert Position(3, 1) > Position(2, 99)
    for wrong in ("3", "0/1", "3/-1", "a/b", "3/1/2"):
        with pytest.raises(ValueError, match="epoch/txid"):
            Position.parse(wrong)


def test_keys_are_built_and_read_back() -> None:
    layout = Layout.of("", "ns", "name")
    assert layout.current == "ns/name/CURRENT"
    assert Layout.of("/a/b/", "ns", "name").root == "a/b/ns/name"
    prefix = layout.epoch(12, "0123456789ab")
    assert prefix == "ns/name/epochs/00000012-01234567"
    key = first_transaction(prefix)
    assert transactions(key) == (1, 1)
    assert epoch_of(key) == 12
    assert transactions(layout.current) is None
    assert epoch_of(layout.current) is None


@pytest.mark.parametrize(
    "origin", [None, ForkOf("another"), ImportOf("team/default/.imports/orders.sqlite", "ab" * 32)]
)
def test_what_a_history_began_with_is_kept(origin: Origin | None) -> None:
    record = replace(RECORD, origin=origin)
    assert decode(encode(record)) == record
