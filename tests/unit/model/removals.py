"""What is each rule for? Every rule of docs/design.md, "Epochs", taken away, with bounds in which that shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rules import Bounds, Play, Rules

from dormouse.keeper.barrier import Step
from dormouse.replica.base import Ask, Found, find_base
from dormouse.replica.claim import Claimant, GoOn, Malformed, Prefix, Volume, Write, decide
from dormouse.replica.collection import Collected, collect
from dormouse.replica.current import Base, Current, State
from dormouse.replica.history import resolve
from dormouse.replica.holding import Outcome, is_same_life, outcome, replicated
from dormouse_operator.store.release import Leaving, next_record

Seen = Current | Malformed | None


@dataclass(frozen=True)
class Removal:
    """`breaks` is what the counterexample says."""

    play: Play
    breaks: str


def _without(name: str, bounds: Bounds, breaks: str) -> Removal:
    return Removal(Play(bounds, Rules(without=frozenset({name}))), breaks)


def _with(bounds: Bounds, breaks: str, **functions: Any) -> Removal:
    return Removal(Play(bounds, Rules(**functions)), breaks)


def _acknowledges_what_was_uploaded(uploaded: bool, replicated: bool, confirmed: bool) -> Step:
    if not uploaded:
        return Step.UPLOAD
    return Step.ACKNOWLEDGE if replicated else Step.MARK


def _reads_current_first(uploaded: bool, replicated: bool, confirmed: bool) -> Step:
    if not replicated:
        return Step.MARK if uploaded else Step.UPLOAD
    if not confirmed:
        return Step.CONFIRM
    return Step.ACKNOWLEDGE if uploaded else Step.UPLOAD


def _acknowledges_before_the_upload(uploaded: bool, replicated: bool, confirmed: bool) -> Step:
    if not replicated:
        return Step.MARK
    return Step.ACKNOWLEDGE if confirmed else Step.CONFIRM


def _acknowledges_before_the_flag(uploaded: bool, replicated: bool, confirmed: bool) -> Step:
    if not uploaded:
        return Step.UPLOAD
    return Step.ACKNOWLEDGE if confirmed else Step.CONFIRM


def _takes_silence_for_success(sent: Current, condition: str | None, seen: Seen, etag: str | None) -> Outcome:
    found = outcome(sent, condition, seen, etag)
    return Outcome.LANDED if found is Outcome.SEND_AGAIN else found


def _takes_a_conflict_for_a_loss(sent: Current, condition: str | None, seen: Seen, etag: str | None) -> Outcome:
    found = outcome(sent, condition, seen, etag)
    return Outcome.LOST if found is Outcome.LANDED else found


def _claims_any_epoch(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    if isinstance(seen, Current) and seen.owner != claimant.owner and seen.state is State.ACTIVE:
        return decide(replace(seen, epoch=0), claimant, volume, prefix)
    return decide(seen, claimant, volume, prefix)


def _trusts_an_old_boot(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    return decide(seen, claimant, Volume.MARKED if volume is Volume.OTHER_BOOT else volume, prefix)


def _restores_a_lost_volume(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    if isinstance(seen, Current) and seen.owner == claimant.owner and volume is Volume.UNMARKED:
        forgotten = replace(seen.with_entry(replicated=False))
        return decide(forgotten, claimant, volume, Prefix(0, own_has_data=False))
    return decide(seen, claimant, volume, prefix)


def _keeps_the_prefix(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    decision = decide(seen, claimant, volume, prefix)
    if isinstance(decision, Write) and isinstance(seen, Current) and seen.owner == claimant.owner:
        return Write(decision.record.with_entry(prefix=seen.entry.prefix))
    return decision


def _forgets_the_seal(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    if isinstance(seen, Current) and seen.state is State.SEALED and seen.owner == claimant.owner:
        return GoOn()
    return decide(seen, claimant, volume, prefix)


def _claims_what_was_released(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    if isinstance(seen, Current) and seen.state in (State.RELEASED, State.DELETING) and seen.lineage:
        return decide(replace(seen, state=State.ACTIVE), claimant, volume, prefix)
    return decide(seen, claimant, volume, prefix)


def _starts_anew_without_current(seen: Seen, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Any:
    if seen is None:
        return decide(None, replace(claimant, first_claim=True), Volume.UNMARKED, Prefix(0, own_has_data=False))
    return decide(seen, claimant, volume, prefix)


def _lives_on_released(seen: Seen, mine: Current) -> bool:
    return is_same_life(replace(seen, state=State.ACTIVE) if isinstance(seen, Current) else seen, mine)


def _takes_any_base(current: Current, newest: Mapping[int, int], allow: int | None = None) -> Ask | Found:
    unflagged = [replace(entry, replicated=False) for entry in current.lineage[:-1]]
    return find_base(replace(current, lineage=(*unflagged, current.entry)), newest, allow)


def _takes_a_short_replica(current: Current, newest: Mapping[int, int], allow: int | None = None) -> Ask | Found:
    unsealed = [replace(entry, sealed_txid=None) for entry in current.lineage[:-1]]
    return find_base(replace(current, lineage=(*unsealed, current.entry)), newest, allow)


def _takes_nothing_for_a_base(current: Current, newest: Mapping[int, int], allow: int | None = None) -> Ask | Found:
    """Walks past an epoch without data, whatever that was restored from, to nothing."""
    handed_on = [replace(entry, base=None, replicated=False) for entry in current.lineage[:-1]]
    return find_base(replace(current, lineage=(*handed_on[-1:], current.entry)), newest, allow)


def _pins_nothing(current: Current, base: Base | None, claimed_at: str | None) -> Current:
    return current.with_entry(base=base, claimed_at=None)


def _collects_before_the_flag(current: Current, now: Any, retention: int) -> Collected:
    return collect(current.with_entry(replicated=True), now, retention)


def _collects_its_base(current: Current, now: Any, retention: int) -> Collected:
    return Collected((current.entry,), None)


def _removes_before_deleting(found: Current | None, leaving: Leaving, nonce: str, *, is_empty: bool) -> Any:
    """The tombstone does not wait until the epochs are gone."""
    return next_record(found, leaving, nonce, is_empty=True)


def _takes_every_life_for_a_copy(current: Current, copies_base: bool) -> Current:
    return replicated(current, True)


def _collects_a_copy_that_went_on(current: Current, now: Any, retention: int) -> Collected:
    """Whatever a later life began from counts as the first transaction."""
    lineage = [
        replace(entry, base=replace(entry.base, txid=1)) if entry.base is not None else entry
        for entry in current.lineage
    ]
    return collect(replace(current, lineage=tuple(lineage)), now, retention)


def _forks_without_waiting(_: Current) -> bool:
    return True


def _forks_from_a_copy(current: Current, *asked: Any) -> Any:
    lineage = [replace(entry, copies_base=False, replicated=True) for entry in current.lineage]
    return resolve(replace(current, lineage=tuple(lineage)), *asked)


def _forks_beyond_the_pin(current: Current, *asked: Any) -> Any:
    """As if the epoch that is asked for had been the last."""
    at = asked[0]
    return resolve(replace(current, lineage=tuple(one for one in current.lineage if one.epoch <= at.epoch)), *asked)


_TWO = Bounds(pods=2, rows=2)
_COPIES = Bounds(pods=3, rows=1, collects="copies", zombies=False)
_WRITTEN_TWICE = replace(_COPIES, rows=2)

REMOVALS: dict[str, Removal] = {
    "writes of CURRENT are conditional": _without("conditional writes", _TWO, "acknowledged"),
    "the claim comes before the restore": _without("claim before restore", _TWO, "which had been acknowledged"),
    "an acknowledgement comes after a read of CURRENT": _with(
        _TWO, "acknowledged by another|which had been acknowledged", next_step=_acknowledges_what_was_uploaded
    ),
    "that read comes after the upload was seen": _with(
        _TWO, "which had been acknowledged", next_step=_reads_current_first
    ),
    "an acknowledgement comes after the upload": _with(
        _TWO, "which had been acknowledged", next_step=_acknowledges_before_the_upload
    ),
    "nothing is acknowledged before `replicated` is set": _with(
        replace(_TWO, losses=True), "which had been acknowledged", next_step=_acknowledges_before_the_flag
    ),
    "a write without an answer is unknown": _with(
        Bounds(pods=2, rows=1, delays=1, losses=True, zombies=False),
        "had been acknowledged",
        outcome=_takes_silence_for_success,
    ),
    "fenced once is fenced always": _without(
        "fenced once is fenced always", replace(_TWO, pods=2), "CURRENT cannot be read any more|acknowledged"
    ),
    "an epoch at or below that of CURRENT is never claimed": _with(
        _TWO, "CURRENT cannot be read any more", decide=_claims_any_epoch
    ),
    "a volume from before a restart of the machine is not trusted": _with(
        Bounds(pods=1, rows=2, crashes=1, reboots=True), "which had been acknowledged", decide=_trusts_an_old_boot
    ),
    "a lost volume ends the epoch": _with(
        Bounds(pods=1, rows=2, crashes=1, wiped=True), "which had been acknowledged", decide=_restores_a_lost_volume
    ),
    "what is restored again writes to a prefix of its own": _with(
        Bounds(pods=1, rows=2, crashes=1, wiped=True, delays=1), "does not follow", decide=_keeps_the_prefix
    ),
    "a life that has sent a seal never writes again": _without(
        "a seal is the last word", Bounds(pods=1, rows=1, delays=1, seals=True), "the seal does not cover"
    ),
    "an epoch without data hands on what it was restored from": _with(
        Bounds(pods=3, rows=1, zombies=False), "which had been acknowledged", find_base=_takes_nothing_for_a_base
    ),
    "the base is not older than the newest that acknowledged": _with(
        Bounds(pods=2, rows=1, losses=True), "which had been acknowledged", find_base=_takes_any_base
    ),
    "the base reaches the seal": _with(
        Bounds(pods=2, rows=1, seals=True, losses=True), "which had been acknowledged", find_base=_takes_a_short_replica
    ),
    "an absent CURRENT is a first claim only when the operator says so": _with(
        Bounds(pods=2, rows=1, losses=True), "which had been acknowledged", decide=_starts_anew_without_current
    ),
    "who was released never claims again": _with(
        Bounds(pods=2, rows=1, leaves="Retain"), "for a workflow that was deleted", decide=_claims_what_was_released
    ),
    "who was released acknowledges nothing": _with(
        Bounds(pods=1, rows=1, leaves="Retain"), "for a workflow that was deleted", is_same_life=_lives_on_released
    ),
    "what the newest epoch rests on is kept until it is replicated": _with(
        Bounds(pods=3, rows=1, collects="old", zombies=False), "could not be restored", collect=_collects_its_base
    ),
    "a life is a copy only if nobody wrote before its first transaction": _with(
        _WRITTEN_TWICE, "no position holds", replicated=_takes_every_life_for_a_copy
    ),
    "a copy that was written to later stays": _with(
        _WRITTEN_TWICE, "no position holds", collect=_collects_a_copy_that_went_on
    ),
    "what a fork has listed counts only if no later life was claimed meanwhile": _without(
        "a fork reads CURRENT again", Bounds(pods=2, rows=1, forks="newest"), "a fork holds"
    ),
    "a fork waits until the source's newest life has pinned": _with(
        Bounds(pods=2, rows=1, forks="1/1"), "a fork holds", is_settled=_forks_without_waiting
    ),
    "history ends at the pin of the next life": _with(
        Bounds(pods=2, rows=1, forks="1/2"), "a fork holds", resolve=_forks_beyond_the_pin
    ),
    "a fork begins from no copy, which may go at once": _with(
        replace(_COPIES, rows=0, forks="newest"), "a fork could not be restored", resolve=_forks_from_a_copy
    ),
}
"""Each of these must give a counterexample."""

HARMLESS: dict[str, tuple[Removal, str]] = {
    "a pin is kept": (
        _with(Bounds(pods=2, rows=1, crashes=1, zombies=False), "", pinned=_pins_nothing),
        (
            "A restart in place would find a new base, which holds all that was acknowledged, and perhaps more that a "
            "zombie uploaded since. The pin keeps that out of history, so that two restores of one epoch are the same; "
            "point-in-time restore rests on it."
        ),
    ),
    "a conflict is no loss": (
        _with(Bounds(pods=1, rows=1, delays=1), "", outcome=_takes_a_conflict_for_a_loss),
        (
            "A write that landed and was taken for lost is found by the read that follows: the claim is decided "
            "anew, a change is made anew. Only a seal would be told as failed; the rule saves requests and false words."
        ),
    ),
    "nobody claims what is being deleted": (
        _with(Bounds(pods=2, rows=1, leaves="Delete", zombies=False), "", decide=_claims_what_was_released),
        (
            "The record that says so names an epoch above every pod that was ever asked for, so each is refused as "
            "stale all the same; the rule holds when the operator has forgotten one."
        ),
    ),
    "nothing is collected before `replicated` is set": (
        _with(Bounds(pods=2, rows=1, collects="old"), "", collect=_collects_before_the_flag),
        "What the newest epoch was restored from is kept in any case; the rule keeps more than one way back.",
    ),
    "the lineage is pruned before anything is deleted": (
        _without("prune before delete", Bounds(pods=2, rows=1, collects="old"), ""),
        (
            "What is deleted is never what the next restore rests on. But the lineage would name what is gone, and a "
            "restore to a point in time would look for it."
        ),
    ),
    "a copy is pruned only after its objects are gone": (
        _without("objects of copies first", _COPIES, ""),
        (
            "Nobody begins from a copy once its successor is in the store. But a life that ended in between would "
            "leave objects of which nothing says any more that they may go at once."
        ),
    ),
    "the tombstone waits until the epochs are gone": (
        _with(Bounds(pods=2, rows=1, leaves="Delete", zombies=False), "", next_record=_removes_before_deleting),
        (
            "Whoever claims at a tombstone starts with an empty lineage above its epoch and reads nothing older: "
            "what is left costs money, not safety."
        ),
    ),
    "a life that sealed itself does not go on": (
        _with(Bounds(pods=1, rows=1, crashes=1, seals=True), "", decide=_forgets_the_seal),
        "The barrier refuses a record that is sealed all the same; the rule spares the runtime a start.",
    ),
}
"""Without one of these nothing that was promised is broken, and why it is a rule all the same."""
