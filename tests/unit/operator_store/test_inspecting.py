"""What of a store has nobody, and what is not as its workflow left it? Keys and records in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dormouse.replica.current import Base, Current, LineageEntry, SealReason, State
from dormouse_operator.store.inspecting import NOTES, Finding, Inventory, findings

ROOT = "team/default/sleeper"


def prefix(epoch: int) -> str:
    return f"{ROOT}/epochs/{epoch:08d}-owner"


def key(epoch: int) -> str:
    return f"{prefix(epoch)}/0000/{1:016x}-{1:016x}.ltx"


SECOND = LineageEntry(2, prefix(2), base=Base(prefix(1), 1, 7), replicated=True)
THIRD = LineageEntry(3, prefix(3), base=Base(prefix(2), 2, 1), replicated=True)
SOUND = Current(4, "n", "uid", "uid", 3, "pod", State.ACTIVE, lineage=(SECOND, THIRD))
SOUND_KEYS = (f"{ROOT}/CURRENT", key(2), key(3))


def found(record: Current | str | None, *keys: str) -> list[Finding]:
    inventory = Inventory()
    for each in keys:
        inventory.add(each, 10)
    return list(findings(inventory, {ROOT: record}))


def test_a_workflow_whose_oldest_base_was_pruned_is_sound() -> None:
    assert found(SOUND, *SOUND_KEYS) == []


def test_what_the_product_itself_puts_beside_the_data_is_not_foreign() -> None:
    ours = (f"{ROOT}/.conditional-write-probe", "team/.dormouse-probe/1", "team/default/.imports/orders.sqlite")
    assert found(SOUND, *SOUND_KEYS, *ours) == []


@pytest.mark.parametrize(
    ("kind", "where", "record", "keys"),
    [
        ("NoCurrent", ROOT, None, (key(1), key(2))),
        ("CurrentMalformed", ROOT, "nonce is missing", SOUND_KEYS),
        ("EpochFromTheFuture", prefix(9), SOUND, (*SOUND_KEYS, key(9))),
        ("NotInLineage", prefix(1), SOUND, (*SOUND_KEYS, key(1))),
        ("DataMissing", prefix(3), SOUND, (f"{ROOT}/CURRENT", key(2))),
        (
            "BaseMissing",
            prefix(8),
            replace(SOUND, lineage=(SECOND, replace(THIRD, base=Base(prefix(8), 8, 1)))),
            SOUND_KEYS,
        ),
        ("LeftByDeletion", ROOT, replace(SOUND, state=State.RELEASED, lineage=()), SOUND_KEYS),
        ("BeingDeleted", ROOT, replace(SOUND, state=State.DELETING), SOUND_KEYS),
        ("Released", ROOT, replace(SOUND, state=State.RELEASED), SOUND_KEYS),
        ("Foreign", "team/notes.txt", SOUND, (*SOUND_KEYS, "team/notes.txt")),
    ],
)
def test_each_thing_is_told_with_its_place_and_what_to_do(
    kind: str, where: str, record: Current | str | None, keys: tuple[str, ...]
) -> None:
    (finding,) = found(record, *keys)
    assert (finding.kind, finding.where) == (kind, where)
    assert len(finding.message) > 20


def test_what_passes_by_itself_is_no_problem() -> None:
    sealed = replace(SOUND, state=State.SEALED, seal_reason=SealReason.STOPPED)
    kinds = {one.kind for one in found(sealed, *SOUND_KEYS, key(1))}
    assert kinds == {"NotInLineage"}
    assert kinds <= NOTES


def test_a_tombstone_with_nothing_left_is_as_it_should_be() -> None:
    assert found(replace(SOUND, state=State.RELEASED, lineage=()), f"{ROOT}/CURRENT") == []


def test_the_base_of_a_fork_lies_elsewhere_and_is_not_looked_for() -> None:
    fork = replace(THIRD, base=Base("team/default/source/epochs/00000005-other", 5, 2))
    assert found(replace(SOUND, lineage=(fork,)), f"{ROOT}/CURRENT", key(3)) == []


def test_how_much_each_holds_is_counted() -> None:
    (finding,) = found(None, key(1), key(2), f"{prefix(2)}/0001/2.ltx")
    assert (finding.objects, finding.bytes) == (3, 30)
