"""May a pod become a life? Every rule of the claim, and each of its refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.replica.claim import (
    Claimant,
    GoOn,
    Malformed,
    Over,
    Prefix,
    Volume,
    Write,
    begun_from,
    decide,
    needs_prefix,
)
from dormouse.replica.current import Base, Current, ForkOf, LineageEntry, SealReason, State, decode, encode
from dormouse.replica.refusal import ENDS_THE_POD, Reason, Refused

ME = Claimant("workflow", "pod-3", 3, "w/epochs/00000003-pod-3", "nonce")
NOTHING = Prefix(newest_epoch=0, own_has_data=False)
BEFORE = Current(
    revision=7,
    nonce="before",
    workflow_uid="workflow",
    identity="identity",
    epoch=2,
    owner="pod-2",
    state=State.ACTIVE,
    lineage=(LineageEntry(1, "w/epochs/00000001-pod-1"), LineageEntry(2, "w/epochs/00000002-pod-2")),
)
MINE = replace(
    BEFORE, epoch=3, owner="pod-3", lineage=(*BEFORE.lineage, LineageEntry(3, ME.prefix, base=Base("b", 2, 9)))
)
TOMBSTONE = replace(BEFORE, workflow_uid="deleted", state=State.RELEASED, lineage=())


def refused(*arguments: object) -> Reason:
    with pytest.raises(Refused) as caught:
        decide(*arguments)  # type: ignore[arg-type]
    assert caught.value.refusal.message
    return caught.value.refusal.reason


def test_the_next_epoch_is_appended_and_keeps_identity_and_lineage() -> None:
    decision = decide(BEFORE, ME, Volume.UNMARKED, None)
    assert isinstance(decision, Write)
    record = decision.record
    assert (record.epoch, record.owner, record.state, record.revision) == (3, "pod-3", State.ACTIVE, 8)
    assert record.identity == "identity"
    assert [entry.epoch for entry in record.lineage] == [1, 2, 3]
    assert record.entry == LineageEntry(3, ME.prefix)


def test_a_sealed_life_is_followed_and_its_seal_is_cleared() -> None:
    sealed = replace(BEFORE, state=State.SEALED, seal_reason=SealReason.HIBERNATED, next_wake_at="2026-01-01T00:00:00Z")
    decision = decide(sealed, ME, Volume.UNMARKED, None)
    assert isinstance(decision, Write)
    assert (decision.record.seal_reason, decision.record.next_wake_at) == (None, None)
    assert decode(encode(decision.record)) == decision.record


@pytest.mark.parametrize("epoch", [3, 4])
def test_an_epoch_that_another_pod_has_is_stale(epoch: int) -> None:
    assert refused(replace(MINE, epoch=epoch, owner="other"), ME, Volume.UNMARKED, None) is Reason.STALE_EPOCH


def test_a_first_claim_of_an_empty_prefix_takes_the_uid_as_identity() -> None:
    decision = decide(None, replace(ME, first_claim=True), Volume.UNMARKED, NOTHING)
    assert isinstance(decision, Write)
    assert decision.record.identity == "workflow"
    assert decision.record.revision == 1


def test_an_absent_record_is_a_fresh_start_only_for_a_first_claim() -> None:
    assert refused(None, ME, Volume.UNMARKED, NOTHING) is Reason.CURRENT_MISSING


def test_an_absent_record_is_never_a_fresh_start_for_a_life_with_a_marker() -> None:
    assert refused(None, replace(ME, first_claim=True), Volume.MARKED, NOTHING) is Reason.CURRENT_MISSING


def test_data_without_a_record_is_not_taken() -> None:
    assert refused(None, replace(ME, first_claim=True), Volume.UNMARKED, Prefix(2, False)) is Reason.UNCLAIMED_DATA


@pytest.mark.parametrize("seen", [None, Malformed("broken")])
def test_data_is_given_up_only_by_the_epoch_that_is_named(seen: Malformed | None) -> None:
    wrong = replace(ME, allow_empty_restore=1)
    assert refused(seen, wrong, Volume.UNMARKED, Prefix(2, False)) in {Reason.CURRENT_MISSING, Reason.CURRENT_MALFORMED}
    decision = decide(seen, replace(ME, allow_empty_restore=2), Volume.UNMARKED, Prefix(2, False))
    assert isinstance(decision, Write)
    assert [entry.epoch for entry in decision.record.lineage] == [3]


def test_a_malformed_record_is_refused_even_for_a_first_claim() -> None:
    claimant = replace(ME, first_claim=True)
    assert refused(Malformed("no JSON"), claimant, Volume.UNMARKED, NOTHING) is Reason.CURRENT_MALFORMED


def test_a_valid_marker_means_that_the_volume_is_the_truth() -> None:
    assert decide(MINE, ME, Volume.MARKED, None) == GoOn()


def test_a_marker_from_another_boot_is_not_trusted() -> None:
    assert refused(MINE, ME, Volume.OTHER_BOOT, None) is Reason.VOLUME_UNTRUSTED


@pytest.mark.parametrize(
    ("seen", "prefix"),
    [(MINE.with_entry(replicated=True), NOTHING), (MINE, Prefix(3, own_has_data=True))],
    ids=["flagged", "found"],
)
def test_an_empty_volume_after_any_upload_is_lost(seen: Current, prefix: Prefix) -> None:
    assert refused(seen, ME, Volume.UNMARKED, prefix) is Reason.VOLUME_LOST


def test_an_empty_volume_before_any_upload_is_restored_again_to_a_prefix_of_its_own() -> None:
    decision = decide(MINE, ME, Volume.UNMARKED, NOTHING)
    assert isinstance(decision, Write)
    assert decision.record == MINE.with_entry(prefix="w/epochs/00000003-pod-3-nonce").next("nonce")
    assert decision.record.entry.base == MINE.entry.base


def test_a_life_that_sealed_itself_is_over() -> None:
    sealed = replace(MINE, state=State.SEALED, seal_reason=SealReason.STOPPED)
    assert decide(sealed, ME, Volume.MARKED, None) == Over()


def test_a_store_that_lost_writes_is_noticed() -> None:
    assert refused(BEFORE, ME, Volume.MARKED, None) is Reason.CURRENT_WENT_BACK


def test_another_workflow_keeps_its_name() -> None:
    stranger = replace(ME, workflow_uid="stranger", first_claim=True)
    assert refused(BEFORE, stranger, Volume.UNMARKED, None) is Reason.NAME_TAKEN


def test_a_take_over_names_whom_it_replaces_and_keeps_the_identity() -> None:
    heir = replace(ME, workflow_uid="heir", take_over_from="workflow")
    decision = decide(BEFORE, heir, Volume.UNMARKED, None)
    assert isinstance(decision, Write)
    assert (decision.record.workflow_uid, decision.record.identity) == ("heir", "identity")
    wrong = replace(heir, take_over_from="nobody")
    assert refused(BEFORE, wrong, Volume.UNMARKED, None) is Reason.NAME_TAKEN


def test_a_tombstone_is_claimed_above_its_epoch_with_a_new_identity() -> None:
    claimant = replace(ME, workflow_uid="new", first_claim=True)
    decision = decide(TOMBSTONE, claimant, Volume.UNMARKED, None)
    assert isinstance(decision, Write)
    assert (decision.record.identity, decision.record.revision) == ("new", TOMBSTONE.revision + 1)
    assert refused(TOMBSTONE, replace(claimant, epoch=2), Volume.UNMARKED, None) is Reason.STALE_EPOCH


def test_a_workflow_that_was_claimed_before_does_not_start_empty_at_the_tombstone_of_another() -> None:
    claimed = replace(ME, workflow_uid="mine")
    assert refused(TOMBSTONE, claimed, Volume.UNMARKED, None) is Reason.CURRENT_MISSING
    assert refused(TOMBSTONE, replace(claimed, allow_empty_restore=1), Volume.UNMARKED, None) is Reason.CURRENT_MISSING
    given_up = decide(TOMBSTONE, replace(claimed, allow_empty_restore=TOMBSTONE.epoch), Volume.UNMARKED, None)
    assert isinstance(given_up, Write)


@pytest.mark.parametrize("volume", [Volume.MARKED, Volume.OTHER_BOOT])
@pytest.mark.parametrize(
    "seen",
    [TOMBSTONE, replace(BEFORE, state=State.RELEASED), replace(BEFORE, state=State.DELETING), BEFORE],
    ids=["tombstone", "released", "deleting", "active"],
)
def test_a_life_with_a_marker_takes_nothing_of_another(seen: Current, volume: Volume) -> None:
    greedy = Claimant(
        "mine", "pod-3", 3, ME.prefix, "nonce",
        first_claim=True, allow_empty_restore=2, adopts_released=True, take_over_from=seen.workflow_uid,
    )  # fmt: skip
    assert refused(seen, greedy, volume, None) is Reason.CURRENT_WENT_BACK


def test_a_released_workflow_never_claims_again() -> None:
    released = replace(BEFORE, state=State.RELEASED)
    assert refused(released, ME, Volume.UNMARKED, None) is Reason.RELEASED


def test_nobody_claims_what_is_being_deleted() -> None:
    deleting = replace(BEFORE, state=State.DELETING)
    assert refused(deleting, ME, Volume.UNMARKED, None) is Reason.DELETING
    assert refused(deleting, replace(ME, workflow_uid="new"), Volume.UNMARKED, None) is Reason.DELETING


def test_the_reasons_that_end_a_pod_are_those_of_the_design() -> None:
    assert {reason.value for reason in ENDS_THE_POD} == {"StaleEpoch", "VolumeLost", "VolumeUntrusted", "Fenced"}


STATES = [(State.ACTIVE, None), (State.SEALED, SealReason.STOPPED), (State.RELEASED, None), (State.DELETING, None)]
SEEN = st.one_of(
    st.none(),
    st.builds(Malformed, st.just("broken")),
    st.builds(
        lambda epoch, mine, owned, state, replicated: Current(
            1, "n", "workflow" if mine else "other", "identity", epoch, "pod-3" if owned else "pod-x",
            state[0], state[1], None, (LineageEntry(epoch, "p", replicated=replicated),),
        ),
        st.integers(1, 5), st.booleans(), st.booleans(), st.sampled_from(STATES), st.booleans(),
    ),
)  # fmt: skip


@given(
    seen=SEEN,
    first=st.booleans(),
    allow=st.none() | st.integers(0, 5),
    take_over=st.sampled_from([None, "other", "nobody"]),
    adopts=st.booleans(),
    volume=st.sampled_from(Volume),
    prefix=st.builds(Prefix, st.integers(0, 5), st.booleans()),
)
def test_whatever_is_seen_no_claim_reuses_an_epoch_or_forgets_a_lineage(
    seen: Current | Malformed | None,
    first: bool,
    allow: int | None,
    take_over: str | None,
    adopts: bool,
    volume: Volume,
    prefix: Prefix,
) -> None:
    claimant = replace(
        ME, first_claim=first, allow_empty_restore=allow, take_over_from=take_over, adopts_released=adopts
    )
    try:
        decision = decide(seen, claimant, volume, prefix if needs_prefix(seen, claimant, volume) else None)
    except Refused:
        return
    if isinstance(decision, Write):
        assert decision.record.epoch == claimant.epoch
        if isinstance(seen, Current):
            assert seen.epoch < claimant.epoch
            assert seen.state is State.DELETING or decision.record.lineage[:-1] == seen.lineage
            assert volume is Volume.UNMARKED
        else:
            assert prefix.newest_epoch < claimant.epoch
    else:
        assert isinstance(seen, Current)
        assert (seen.epoch, seen.owner, seen.workflow_uid) == (claimant.epoch, claimant.owner, claimant.workflow_uid)


def test_a_history_begins_with_the_first_claim_and_after_a_tombstone_and_never_where_data_was_given_up() -> None:
    new = replace(ME, workflow_uid="new", epoch=3, first_claim=True)
    for seen in (None, TOMBSTONE):
        decision = decide(seen, new, Volume.UNMARKED, NOTHING)
        assert isinstance(decision, Write)
        assert decision.begins
    giving_up = replace(new, allow_empty_restore=2)
    for found, claimant in ((None, giving_up), (Malformed("?"), giving_up), (BEFORE, ME)):
        decision = decide(found, claimant, Volume.UNMARKED, Prefix(2, own_has_data=False))
        assert isinstance(decision, Write)
        assert not decision.begins


def test_a_history_that_begins_elsewhere_pins_its_source_and_keeps_its_own_identity() -> None:
    decision = decide(None, replace(ME, first_claim=True), Volume.UNMARKED, NOTHING)
    assert isinstance(decision, Write)
    record = begun_from(decision.record, ForkOf("source"), Base("source/epochs/7", 7, 9))
    assert (record.identity, record.origin, record.entry.base) == (
        "workflow",
        ForkOf("source"),
        Base("source/epochs/7", 7, 9),
    )
    assert decode(encode(record)) == record
