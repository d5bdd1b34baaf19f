"""How may a keeper stand afterwards? What several of its steps have in common: started again, gone, about to write."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from rules import Play
from world import Disk, Phase, Pod, Sending, World

from dormouse.replica.collection import Collected, pruned
from dormouse.replica.current import Current, CurrentMalformed, SealReason, decode, encode
from dormouse.replica.refusal import ENDS_THE_POD, Reason, Refused

_LONG_AFTER = datetime(3000, 1, 1, tzinfo=UTC)
_RETENTION_SECONDS = {"old": 0, "copies": 2000 * 365 * 86400}
_FALSE_ALARMS = frozenset(Reason) - ENDS_THE_POD - {Reason.NAME_TAKEN, Reason.DELETING, Reason.RELEASED}


def started(pod: Pod, disk: Disk | None) -> Pod:
    return Pod(pod.name, pod.workflow, pod.epoch, pod.first_claim, pod.run + 1, disk)


def gone(world: World, pod: Pod, refused_at: int = 0) -> World:
    """It never does anything again: nothing else of it has to be remembered."""
    return world.with_pod(
        Pod(pod.name, pod.workflow, pod.epoch, pod.first_claim, phase=Phase.GONE, refused_at=refused_at)
    )


def applied(world: World, record: Current) -> World:
    """CURRENT is that record now."""
    if (why := _malformed(record)) and not world.broken:
        world = world._replace(broken=f"CURRENT cannot be read any more: {why}")
    return world._replace(current=record)


@cache
def _malformed(record: Current) -> str:
    try:
        decode(encode(record))
    except CurrentMalformed as problem:
        return str(problem)
    return ""


def refused_step(world: World, pod: Pod, refused: Refused) -> tuple[str, World]:
    reason = refused.refusal.reason
    told = f"{pod.name} is refused: {reason}"
    has_left = world.left and pod.workflow == "A"
    if reason in _FALSE_ALARMS and not world.lost_data and not has_left:
        why = f"{pod.name} (epoch {pod.epoch}) needs a person's help although nothing was lost: {reason}"
        return told, world._replace(broken=why)
    if reason in (Reason.NAME_TAKEN, Reason.DELETING) and not has_left:
        return f"{told}, and tries again", world.with_pod(started(pod, pod.disk)._replace(run=pod.run))
    seen = refused.refusal.facts.get("seen", 0)
    return told, gone(world, pod, seen if isinstance(seen, int) else 0)


def over(pod: Pod) -> Pod:
    return Pod(pod.name, pod.workflow, pod.epoch, pod.first_claim, phase=Phase.OVER)


def changed(pod: Pod, purpose: str, play: Play) -> Pod:
    """It is going to write its record with this change; the pin is worked out anew."""
    assert pod.mine is not None
    rules, mine = play.rules, pod.mine
    if purpose == "pin":
        return pod._replace(phase=Phase.PIN, sending=None)
    if purpose == "replicated":
        assert pod.disk is not None
        record = rules.replicated(mine, len(pod.disk.rows) == pod.disk.restored)
    elif purpose == "prune":
        record = pruned(mine, collected(mine, play).lineage)
    else:
        assert pod.disk is not None
        record = rules.sealed(mine, pod.disk.txid, SealReason.STOPPED, None)
    record = record.next(f"{pod.run}.{pod.name}.{purpose}")
    return pod._replace(phase=Phase.SEND, sending=Sending(record, mine, purpose))


def ended(world: World, pinned: Current, play: Play) -> World:
    """From now on what was pinned is a moment of history, which has to be there for as long as retention says."""
    base = pinned.entry.base
    rows = world.restored(base.prefix, base.txid) if base is not None else ""
    if play.bounds.collects != "copies" or isinstance(rows, str):
        return world
    return world._replace(ends=world.ends | {rows})


def collected(mine: Current, play: Play) -> Collected:
    """What goes, by the product's rule, at a moment long after."""
    found: Collected = play.rules.collect(mine, _LONG_AFTER, _RETENTION_SECONDS[play.bounds.collects])
    return found


def names(rows: frozenset[str]) -> str:
    return ", ".join(sorted(rows))
