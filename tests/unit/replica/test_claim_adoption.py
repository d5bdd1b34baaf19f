"""May a workflow go on with what another left? Only what was let go of, and never somebody who let go of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.replica.claim import Claimant, Volume, Write, decide
from dormouse.replica.current import Current, Former, LineageEntry, SealReason, State, decode, encode
from dormouse.replica.refusal import Reason, Refusal, Refused

HEIR = Claimant("heir", "pod-8", 8, "w/epochs/00000008-pod-8", "nonce", first_claim=True)
ADOPTER = replace(HEIR, adopts_released=True)
LEFT = Current(
    revision=20,
    nonce="left",
    workflow_uid="before",
    identity="first",
    epoch=7,
    owner="pod-7",
    state=State.RELEASED,
    lineage=(LineageEntry(6, "w/epochs/00000006-pod-6"), LineageEntry(7, "w/epochs/00000007-pod-7", replicated=True)),
    adopted_from=(Former("first", 3),),
)
TOMBSTONE = replace(LEFT, lineage=(), adopted_from=())


def claimed(seen: Current, claimant: Claimant) -> Current:
    decision = decide(seen, claimant, Volume.UNMARKED, None)
    assert isinstance(decision, Write)
    assert decode(encode(decision.record)) == decision.record
    return decision.record


def refused(seen: Current, claimant: Claimant) -> Refusal:
    with pytest.raises(Refused) as caught:
        decide(seen, claimant, Volume.UNMARKED, None)
    return caught.value.refusal


def test_released_data_is_adopted_with_its_identity_its_lineage_and_the_name_of_who_left_it() -> None:
    record = claimed(LEFT, ADOPTER)
    assert (record.workflow_uid, record.identity, record.epoch, record.revision) == ("heir", "first", 8, 21)
    assert record.state is State.ACTIVE
    assert record.lineage == (*LEFT.lineage, LineageEntry(8, ADOPTER.prefix))
    assert record.adopted_from == (Former("first", 3), Former("before", 7))


def test_without_the_policy_released_data_is_refused_with_every_way_out() -> None:
    refusal = refused(LEFT, HEIR)
    assert refusal.reason is Reason.NAME_TAKEN
    for way_out in ("adoptionPolicy: Released", "another name", "deletionPolicy: Delete"):
        assert way_out in refusal.message


@pytest.mark.parametrize(
    ("state", "reason"),
    [(State.ACTIVE, None), (State.SEALED, SealReason.COMPLETED), (State.SEALED, SealReason.STOPPED)],
)
def test_what_nobody_let_go_of_is_not_adopted(state: State, reason: SealReason | None) -> None:
    refusal = refused(replace(LEFT, state=state, seal_reason=reason), ADOPTER)
    assert refusal.reason is Reason.NAME_TAKEN
    assert "storage.takeOverFrom: before" in refusal.message


def test_an_adoption_at_an_old_epoch_learns_the_newest() -> None:
    refusal = refused(LEFT, replace(ADOPTER, epoch=1))
    assert (refusal.reason, refusal.facts) == (Reason.STALE_EPOCH, {"seen": 7})


@pytest.mark.parametrize("uid", ["before", "first"])
@pytest.mark.parametrize("seen", [LEFT, replace(claimed(LEFT, ADOPTER), state=State.RELEASED)])
def test_whoever_let_go_of_data_never_claims_it_again(seen: Current, uid: str) -> None:
    claimant = replace(ADOPTER, workflow_uid=uid, epoch=9, take_over_from=seen.workflow_uid)
    assert refused(seen, claimant).reason is Reason.RELEASED


def test_a_take_over_is_told_like_an_adoption() -> None:
    record = claimed(replace(LEFT, state=State.ACTIVE), replace(HEIR, take_over_from="before"))
    assert record.adopted_from[-1] == Former("before", 7)


def test_deleted_data_is_not_adopted_but_followed_by_a_workflow_of_its_own() -> None:
    record = claimed(TOMBSTONE, ADOPTER)
    assert (record.identity, record.adopted_from, record.epoch) == ("heir", (), 8)
    assert record.lineage == (LineageEntry(8, ADOPTER.prefix),)


def test_a_deletion_that_was_left_half_way_is_taken_over_as_if_it_had_ended() -> None:
    deleting = replace(LEFT, state=State.DELETING)
    assert refused(deleting, ADOPTER).reason is Reason.DELETING
    record = claimed(deleting, replace(HEIR, take_over_from="before"))
    assert (record.identity, record.lineage) == ("heir", (LineageEntry(8, HEIR.prefix),))
    stale = refused(deleting, replace(HEIR, take_over_from="before", epoch=7))
    assert (stale.reason, stale.facts) == (Reason.STALE_EPOCH, {"seen": 7})


@given(adoptions=st.lists(st.sampled_from("abcd"), max_size=12))
def test_however_often_data_changes_hands_nobody_gets_it_twice(adoptions: list[str]) -> None:
    seen, owners = replace(LEFT, workflow_uid="first", adopted_from=(), epoch=1), ["first"]
    seen = replace(seen, lineage=(LineageEntry(1, "w"),))
    for uid in adoptions:
        try:
            record = claimed(seen, replace(ADOPTER, workflow_uid=uid, epoch=seen.epoch + 1))
        except Refused:
            assert uid in owners
            continue
        owners.append(uid)
        seen = replace(record, state=State.RELEASED)
    assert len(owners) == len(set(owners))
    assert seen.identity == "first"
