"""What may a keeper and its runtime do next? One request to the store at a time, decided by the product's functions.

The order of requests is that of `dormouse.keeper`: claim, pin, restore, confirm, then barriers until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from open_life import barrier, collect, litestream, runtime, seal
from rules import Play
from standing import applied, changed, ended, gone, names, over, refused_step, started
from world import Disk, Phase, Pod, Sending, World

from dormouse.replica.base import Ask
from dormouse.replica.claim import Claimant, GoOn, Malformed, Over, Prefix, Volume, Write, needs_prefix
from dormouse.replica.current import Current
from dormouse.replica.layout import epoch_of
from dormouse.replica.refusal import Reason, Refused

Steps = Iterator[tuple[str, World]]


def keeper_steps(world: World, pod: Pod, play: Play) -> Steps:
    if (one := _ONE_STEP.get(pod.phase)) is not None:
        yield one(world, pod, play)
    for some in _SOME_STEPS.get(pod.phase, ()):
        yield from some(world, pod, play)
    if pod.replicates:
        yield from litestream(world, pod, play)
        if pod.phase is not Phase.CONFIRM:
            yield from runtime(world, pod, play)


def _start(world: World, pod: Pod, play: Play) -> Steps:
    if "claim before restore" in play.rules.without and pod.disk is None and not pod.known:
        yield from _restore_before_claim(world, pod)
        return
    listing = needs_prefix(world.current, _claimant(pod), _volume(pod, play))
    read = pod._replace(phase=Phase.LIST if listing else Phase.DECIDE, seen=world.current)
    yield f"{pod.name} (epoch {pod.epoch}) reads CURRENT", world.with_pod(read)


def _list(world: World, pod: Pod, _: Play) -> tuple[str, World]:
    newest = max((epoch_of(f"{files.prefix}/") or 0 for files in world.files), default=0)
    below = Prefix(newest, any(files.prefix.startswith(pod.plain_prefix) for files in world.files))
    return f"{pod.name} lists the prefix", world.with_pod(pod._replace(phase=Phase.DECIDE, below=below))


def crashes(world: World, pod: Pod, play: Play) -> Steps:
    """The process dies and is started in place; what it had sent may be under way already (see `_send`)."""
    bounds = play.bounds
    if world.crashes == bounds.crashes or pod.phase in (Phase.OVER, Phase.GONE) or pod == started(pod, pod.disk):
        return
    world = world._replace(crashes=world.crashes + 1)
    yield f"{pod.name} is killed and starts again", world.with_pod(started(pod, pod.disk))
    if bounds.wiped:
        yield f"{pod.name} is killed, loses its volume and starts again", world.with_pod(started(pod, None))
    if bounds.reboots and pod.disk is not None:
        for kept in range(pod.disk.snapshot or 0, len(pod.disk.rows) + 1):
            disk = pod.disk._replace(rows=pod.disk.rows[:kept], other_boot=True)
            told = f"the machine of {pod.name} loses its power, {len(pod.disk.rows) - kept} commits are gone"
            yield told, world.with_pod(started(pod, disk))


# The claim.


def _claimant(pod: Pod) -> Claimant:
    return Claimant(
        workflow_uid=pod.workflow,
        owner=pod.name,
        epoch=pod.epoch,
        prefix=pod.plain_prefix,
        nonce=f"{pod.run}.{pod.name}.claim",
        first_claim=pod.first_claim,
        adopts_released=pod.workflow == "B",
    )


def _volume(pod: Pod, play: Play) -> Volume:
    if pod.disk is None or "claim before restore" in play.rules.without:
        return Volume.UNMARKED
    return Volume.OTHER_BOOT if pod.disk.other_boot else Volume.MARKED


def _decide(world: World, pod: Pod, play: Play) -> tuple[str, World]:
    if not isinstance(pod.seen, Current) and pod.below is not None and pod.below.newest_epoch:
        pod = pod._replace(seen=world.current)  # read again
    claimant, volume, below = _claimant(pod), _volume(pod, play), pod.below
    pod = pod._replace(below=None)
    try:
        decision = play.rules.decide(pod.seen, claimant, volume, below)
    except Refused as refused:
        return refused_step(world, pod, refused)
    if isinstance(decision, Write):
        condition = pod.seen if isinstance(pod.seen, Current) else None
        sending = Sending(decision.record, condition, "claim")
        told = f"{pod.name} is going to claim epoch {pod.epoch}"
        return told, world.with_pod(pod._replace(phase=Phase.SEND, seen=None, sending=sending))
    if isinstance(decision, Over):
        return f"{pod.name} is over", world.with_pod(over(pod))
    assert isinstance(pod.seen, Current)
    assert isinstance(decision, GoOn)
    assert pod.disk is not None
    mine = pod._replace(mine=pod.seen, seen=None)
    return f"{pod.name} goes on with its volume", _replicating(world, mine, pod.disk)


# Conditional writes of CURRENT.


def etag(record: Current | Malformed | None) -> str | None:
    return f"{record.revision} {record.nonce}" if isinstance(record, Current) else None


def _send(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.sending is not None
    sending = pod.sending
    what = f"{pod.name} writes CURRENT ({sending.purpose})"
    unsure = world.with_pod(pod._replace(phase=Phase.SETTLE))
    if world.current == sending.condition or "conditional writes" in play.rules.without:
        written = applied(world, sending.record)
        yield what, _landed(written, pod, play)
        if world.delays < play.bounds.delays:
            lost = applied(unsure, sending.record)._replace(delays=world.delays + 1)
            yield f"{what}, the answer is lost", lost
    else:
        yield f"{what}: conflict", unsure
    if world.delays < play.bounds.delays:
        late = tuple(sorted((*world.late, sending), key=hash))
        yield f"{what}, which is delayed", unsure._replace(late=late, delays=world.delays + 1)


def _settle(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.sending is not None
    sending, seen = pod.sending, world.current
    what = f"{pod.name} reads CURRENT for what became of its write ({sending.purpose})"
    if sending.purpose == "seal" and "a seal is the last word" in play.rules.without:
        yield f"{pod.name} goes on writing", world.with_pod(pod._replace(phase=Phase.OPEN, sending=None, target=0))
    match play.rules.outcome(sending.record, etag(sending.condition), seen, etag(seen)).name:
        case "LANDED":
            yield f"{what}: it landed", _landed(world, pod, play)
        case "SEND_AGAIN":
            yield f"{what}: nothing yet", world.with_pod(pod._replace(phase=Phase.SEND))
        case _ if sending.purpose == "claim":
            listing = needs_prefix(seen, _claimant(pod), _volume(pod, play))
            again = pod._replace(phase=Phase.LIST if listing else Phase.DECIDE, seen=seen, sending=None)
            yield f"{what}: another was first", world.with_pod(again)
        case _:
            yield what, _update_again(world, pod, play)


def _update_again(world: World, pod: Pod, play: Play) -> World:
    assert pod.mine is not None
    assert pod.sending is not None
    seen = world.current
    ours = play.rules.is_same_life(seen, pod.mine)
    if not ours and pod.sending.purpose == "seal" and play.rules.is_own_seal(seen, pod.mine):
        return world.with_pod(over(pod))
    if not isinstance(seen, Current) or not (ours or "fenced once is fenced always" in play.rules.without):
        return gone(world, pod)
    return world.with_pod(changed(pod._replace(mine=seen), pod.sending.purpose, play))


def _landed(world: World, pod: Pod, play: Play) -> World:
    assert pod.sending is not None
    done = pod._replace(mine=pod.sending.record, sending=None)
    match pod.sending.purpose:
        case "claim" if pod.disk is not None:
            return _replicating(world, done, pod.disk)
        case "claim":
            return world.with_pod(done._replace(phase=Phase.PIN))
        case "pin":
            return ended(world, pod.sending.record, play).with_pod(done._replace(phase=Phase.RESTORE, known=()))
        case "seal":
            return world.with_pod(over(pod))
        case _:
            return world.with_pod(done._replace(phase=Phase.OPEN))


# Pin and restore.


def _pin(world: World, pod: Pod, play: Play) -> tuple[str, World]:
    assert pod.mine is not None
    if play.rules.is_pinned(pod.mine):
        told = f"{pod.name} finds what it begins from in CURRENT"
        return told, world.with_pod(pod._replace(phase=Phase.RESTORE, known=()))
    try:
        step = play.rules.find_base(pod.mine, dict(pod.known), None)
    except Refused as refused:
        return refused_step(world, pod, refused)
    if isinstance(step, Ask):
        known = (*pod.known, (step.entry.epoch, world.newest(step.entry.prefix)))
        told = f"{pod.name} lists epoch {step.entry.epoch}: {known[-1][1]} transactions"
        return told, world.with_pod(pod._replace(known=known))
    if not play.rules.is_same_life(world.current, pod.mine):
        return f"{pod.name} finds another life in CURRENT", gone(world, pod)
    claimed_at = f"2000-01-01T00:00:{pod.epoch:02}+00:00"
    record = play.rules.pinned(pod.mine, step.base, claimed_at).next(f"{pod.run}.{pod.name}.pin")
    position = step.base.position if step.base else "nothing"
    sending = Sending(record, pod.mine, "pin")
    return f"{pod.name} is going to pin {position}", world.with_pod(pod._replace(phase=Phase.SEND, sending=sending))


def _restore(world: World, pod: Pod, play: Play) -> tuple[str, World]:
    assert pod.mine is not None
    base = pod.mine.entry.base
    rows = world.restored(base.prefix, base.txid) if base is not None else ()
    is_current = play.rules.is_same_life(world.current, pod.mine)
    if isinstance(rows, str):
        if not is_current:
            return f"{pod.name} cannot restore, and finds another life in CURRENT", gone(world, pod)
        told, refused = refused_step(world, pod, Refused(Reason.REPLICA_CORRUPT, rows))
        return f"{told}: {rows}", refused
    told = f"{pod.name} restores {base.position if base else 'nothing'}: {', '.join(rows) or 'empty'}"
    if is_current and (missing := world.acknowledged - set(rows)):
        world = world._replace(broken=f"{pod.name} restored without {names(missing)}, which had been acknowledged")
    return told, _replicating(world, pod, Disk(rows, restored=len(rows) if base is not None else None))


def _restore_before_claim(world: World, pod: Pod) -> Steps:
    """The order that is wrong: by the time of the claim, what was restored may be old."""
    if world.current is None:
        yield f"{pod.name} finds nothing to restore", world.with_pod(pod._replace(known=((0, 0),)))
        return
    entry = world.current.entry
    txid = world.newest(entry.prefix)
    rows = world.restored(entry.prefix, txid)
    if not isinstance(rows, str):
        restored = pod._replace(disk=Disk(rows), phase=Phase.DECIDE, seen=world.current)
        yield f"{pod.name} restores {entry.epoch}/{txid} and reads CURRENT", world.with_pod(restored)


def _replicating(world: World, pod: Pod, disk: Disk) -> World:
    """The marker is written and Litestream started: it finds in the store how far it came before."""
    uploaded = world.newest(pod.prefix)
    return world.with_pod(pod._replace(phase=Phase.CONFIRM, disk=disk, uploaded=uploaded))


def _confirm(world: World, pod: Pod, play: Play) -> tuple[str, World]:
    assert pod.mine is not None
    if not play.rules.is_same_life(world.current, pod.mine):
        return f"{pod.name} finds another life in CURRENT", gone(world, pod)
    return f"{pod.name} opens its gate", world.with_pod(pod._replace(phase=Phase.OPEN))


_ONE_STEP: dict[Phase, Callable[[World, Pod, Play], tuple[str, World]]] = {
    Phase.LIST: _list,
    Phase.DECIDE: _decide,
    Phase.PIN: _pin,
    Phase.RESTORE: _restore,
    Phase.CONFIRM: _confirm,
}
_SOME_STEPS: dict[Phase, tuple[Callable[[World, Pod, Play], Steps], ...]] = {
    Phase.START: (_start,),
    Phase.SEND: (_send,),
    Phase.SETTLE: (_settle,),
    Phase.OPEN: (barrier, seal, collect),
}
