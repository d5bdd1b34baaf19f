"""May this pod become the life `epoch` of its workflow? Decided from CURRENT alone.

The rules are those of docs/design.md, "Epochs". Nothing here reads a clock or a store: what a rule needs to know
arrives as a value, and what it wants done leaves as one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from dormouse.replica.current import Base, Current, Former, LineageEntry, Origin, State
from dormouse.replica.refusal import Reason, Refused


@dataclass(frozen=True)
class Claimant:
    """Who asks. `prefix` is where its Litestream would write; `nonce` makes the record's bytes unique."""

    workflow_uid: str
    owner: str
    epoch: int
    prefix: str
    nonce: str
    first_claim: bool = False
    allow_empty_restore: int | None = None
    adopts_released: bool = False
    take_over_from: str | None = None


class Volume(Enum):
    """What the pod's own volume says."""

    MARKED = auto()  # a marker with this pod's UID, this epoch and this boot id: the database there is the truth
    OTHER_BOOT = auto()  # the same, written before the machine lost power: fsync promises may be broken
    UNMARKED = auto()


@dataclass(frozen=True)
class Malformed:
    """CURRENT exists and is not a record."""

    problem: str


@dataclass(frozen=True)
class Prefix:
    """What lies below `epochs/`: the newest epoch with any object, and whether a prefix of this claimant's has one.

    Needed only where `needs_prefix` says so, since a listing costs a request.
    """

    newest_epoch: int
    own_has_data: bool


@dataclass(frozen=True)
class Write:
    """Write this record, on the condition that CURRENT still is what was seen."""

    record: Current
    begins: bool = False
    """Whether a history begins with it, which is the one moment for a restore from elsewhere."""


@dataclass(frozen=True)
class GoOn:
    """The epoch is ours, and so is the database in the volume."""


@dataclass(frozen=True)
class Over:
    """This life sealed itself before; it never writes again."""


Decision = Write | GoOn | Over


def needs_prefix(seen: Current | Malformed | None, claimant: Claimant, volume: Volume) -> bool:
    """Whether `decide` has to know what lies below the prefix."""
    if not isinstance(seen, Current):
        return True
    return _mine(seen, claimant) and volume is Volume.UNMARKED


def decide(seen: Current | Malformed | None, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Decision:
    """The next step of a claim.

    Raises:
        Refused: when the pod may not live.
    """
    if not isinstance(seen, Current):
        assert prefix is not None  # noqa: S101 - the caller asked needs_prefix
        return _without_record(seen, claimant, volume, prefix)
    if seen.workflow_uid != claimant.workflow_uid:
        return _of_another(seen, claimant, volume)
    if seen.state is State.DELETING:
        raise Refused(Reason.DELETING, "the data of this workflow is being deleted; nobody may claim it")
    if seen.state is State.RELEASED:
        raise Refused(
            Reason.RELEASED,
            "this workflow was deleted and its data released; create a new one to adopt the data",
        )
    if _mine(seen, claimant):
        return _own_life(seen, claimant, volume, prefix)
    if seen.epoch >= claimant.epoch:
        raise Refused(
            Reason.STALE_EPOCH,
            f"epoch {seen.epoch} was claimed by pod {seen.owner}, this pod is epoch {claimant.epoch}",
            seen=seen.epoch,
        )
    if volume is not Volume.UNMARKED:
        raise _went_back(claimant, f"says {seen.epoch}")
    return Write(_appended(seen, claimant))


def _went_back(claimant: Claimant, said: str) -> Refused:
    return Refused(
        Reason.CURRENT_WENT_BACK,
        f"this pod lives as epoch {claimant.epoch}, but CURRENT {said}: the store lost writes. "
        "Check that it is not restored from a backup and has no active-active replication",
    )


def _mine(seen: Current, claimant: Claimant) -> bool:
    return (
        seen.workflow_uid == claimant.workflow_uid
        and seen.epoch == claimant.epoch
        and seen.owner == claimant.owner
        and seen.state in (State.ACTIVE, State.SEALED)
    )


def _own_life(seen: Current, claimant: Claimant, volume: Volume, prefix: Prefix | None) -> Decision:
    if seen.state is State.SEALED:
        return Over()
    if volume is Volume.MARKED:
        return GoOn()
    if volume is Volume.OTHER_BOOT:
        raise Refused(
            Reason.VOLUME_UNTRUSTED,
            "the volume went through a restart of its machine; restoring in a new pod",
        )
    assert prefix is not None  # noqa: S101 - the caller asked needs_prefix
    if seen.entry.replicated or prefix.own_has_data:
        raise Refused(Reason.VOLUME_LOST, f"the volume of epoch {claimant.epoch} is empty; restoring in a new pod")
    # Restored again, and to a prefix that no earlier run knows: an upload of one may be under way still.
    return Write(seen.with_entry(prefix=f"{claimant.prefix}-{claimant.nonce[:8]}").next(claimant.nonce))


def _without_record(seen: Malformed | None, claimant: Claimant, volume: Volume, prefix: Prefix) -> Decision:
    given_up = claimant.allow_empty_restore is not None and claimant.allow_empty_restore == prefix.newest_epoch
    if isinstance(seen, Malformed):
        if given_up:
            return Write(_first(claimant, prefix.newest_epoch))
        raise Refused(
            Reason.CURRENT_MALFORMED,
            f"CURRENT cannot be read: {seen.problem}. Restore that object, or give its data up with "
            f"storage.allowEmptyRestore: {prefix.newest_epoch}",
        )
    if volume is not Volume.UNMARKED or not (claimant.first_claim or given_up):
        raise Refused(
            Reason.CURRENT_MISSING,
            "CURRENT is gone, although this workflow was claimed before. Restore that object (an empty or another "
            "bucket is never taken for a fresh start), or give the data up with "
            f"storage.allowEmptyRestore: {prefix.newest_epoch}",
        )
    if prefix.newest_epoch and not given_up:
        raise Refused(
            Reason.UNCLAIMED_DATA,
            f"there is data up to epoch {prefix.newest_epoch} under this workflow's prefix, but no CURRENT. Choose "
            "another name or prefix, restore CURRENT, or give the data up with "
            f"storage.allowEmptyRestore: {prefix.newest_epoch}",
        )
    return Write(_first(claimant, prefix.newest_epoch), begins=not given_up)


def _of_another(seen: Current, claimant: Claimant, volume: Volume) -> Decision:
    if any(former.workflow_uid == claimant.workflow_uid for former in seen.adopted_from):
        raise Refused(
            Reason.RELEASED,
            f"the data of this workflow went over to workflow {seen.workflow_uid}, and whoever gave data up never "
            "claims it again; create a new DurableWorkflow",
        )
    if volume is not Volume.UNMARKED:
        raise _went_back(claimant, f"belongs to workflow {seen.workflow_uid}")
    if seen.state is State.RELEASED and not seen.lineage:
        return _at_a_tombstone(seen, claimant)
    takes_over = claimant.take_over_from == seen.workflow_uid
    if seen.state is State.DELETING:
        if takes_over:
            # What is left of the data belongs to nobody any more: it is given up as if its removal had come to its end.
            return Write(_first(claimant, seen.epoch, revision=seen.revision + 1))
        raise Refused(
            Reason.DELETING,
            f"the data of workflow {seen.workflow_uid} is being deleted here. Wait for that, or choose another name; "
            f"if that workflow's cluster is gone for good, start anew with storage.takeOverFrom: {seen.workflow_uid}",
        )
    if takes_over or (seen.state is State.RELEASED and claimant.adopts_released):
        return Write(_adopted(seen, claimant))
    if seen.state is State.RELEASED:
        raise Refused(
            Reason.NAME_TAKEN,
            f"this name has the data that workflow {seen.workflow_uid} left at epoch {seen.epoch}. Go on with it by "
            "adoptionPolicy: Released, or choose another name, prefix or bucket. If nobody wants it: adopt it, and "
            "delete the DurableWorkflow with deletionPolicy: Delete",
        )
    raise Refused(
        Reason.NAME_TAKEN,
        f"this name belongs to workflow {seen.workflow_uid} (state {seen.state}, epoch {seen.epoch}). Choose "
        "another name, prefix or bucket; if that workflow's cluster is gone for good, take over with "
        f"storage.takeOverFrom: {seen.workflow_uid}",
    )


def _at_a_tombstone(seen: Current, claimant: Claimant) -> Decision:
    if seen.epoch >= claimant.epoch:
        raise Refused(
            Reason.STALE_EPOCH,
            f"a deleted workflow of this name used the epochs up to {seen.epoch}",
            seen=seen.epoch,
        )
    if not (claimant.first_claim or claimant.allow_empty_restore == seen.epoch):
        raise Refused(
            Reason.CURRENT_MISSING,
            f"this workflow was claimed before, but CURRENT is what workflow {seen.workflow_uid} left when its data "
            "was deleted. Restore that object and the data, or give the data up with "
            f"storage.allowEmptyRestore: {seen.epoch}",
        )
    return Write(_first(claimant, seen.epoch, revision=seen.revision + 1), begins=claimant.first_claim)


def begun_from(record: Current, origin: Origin, base: Base | None) -> Current:
    """The first record of a history that begins with data from elsewhere; its source is pinned."""
    return replace(record.with_entry(base=base), origin=origin)


def _first(claimant: Claimant, newest_epoch: int, revision: int = 1) -> Current:
    if newest_epoch >= claimant.epoch:
        raise Refused(Reason.STALE_EPOCH, f"epochs up to {newest_epoch} were used under this prefix", seen=newest_epoch)
    return Current(
        revision=revision,
        nonce=claimant.nonce,
        workflow_uid=claimant.workflow_uid,
        identity=claimant.workflow_uid,
        epoch=claimant.epoch,
        owner=claimant.owner,
        state=State.ACTIVE,
        lineage=(LineageEntry(claimant.epoch, claimant.prefix),),
    )


def _adopted(seen: Current, claimant: Claimant) -> Current:
    if seen.epoch >= claimant.epoch:
        raise Refused(
            Reason.STALE_EPOCH, f"workflow {seen.workflow_uid} used the epochs up to {seen.epoch}", seen=seen.epoch
        )
    former = Former(seen.workflow_uid, seen.epoch)
    return replace(_appended(seen, claimant), adopted_from=(*seen.adopted_from, former))


def _appended(seen: Current, claimant: Claimant) -> Current:
    return seen.next(
        claimant.nonce,
        workflow_uid=claimant.workflow_uid,
        epoch=claimant.epoch,
        owner=claimant.owner,
        state=State.ACTIVE,
        seal_reason=None,
        next_wake_at=None,
        lineage=(*seen.lineage, LineageEntry(claimant.epoch, claimant.prefix)),
    )
