"""What may happen in the world of epochs, and what may never be so? The operator, the network, faults, the promises."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from exploring import Explored, explore
from forking import broken_fork, fork_steps
from keeper_steps import Steps, crashes, keeper_steps
from rules import Play
from standing import applied, gone
from world import LateFile, Phase, Pod, World

from dormouse.replica.base import Ask, find_base
from dormouse.replica.current import Current, LineageEntry, State
from dormouse.replica.history import history
from dormouse.replica.layout import epoch_of
from dormouse.replica.refusal import Refused
from dormouse_operator.store.release import Leaving


def successors(world: World, play: Play) -> Steps:
    """Everything that may happen next."""
    if world.broken:
        return
    for pod in world.pods:
        yield from keeper_steps(world, pod, play)
        yield from crashes(world, pod, play)
    yield from _operator(world, play)
    if play.bounds.forks:
        yield from fork_steps(world, play)
    yield from _arrivals(world)
    if play.bounds.losses and not world.lost_data:
        yield from _losses(world)


def _operator(world: World, play: Play) -> Steps:
    """It may take any pod for lost at any time, and ask for the next; that is how zombies come to be."""
    bounds = play.bounds
    if len(world.pods) < bounds.pods:
        yield from _creates(world, "B" if world.left else "A", play)
    if bounds.leaves and any(pod.workflow == "A" for pod in world.pods):
        yield from _leaves(world, play)


def _creates(world: World, workflow: str, play: Play) -> Steps:
    current = world.current
    asked_for = dict(world.asked_for)
    reads = workflow in asked_for or workflow == "B"
    in_store = current.epoch if current is not None and reads else 0
    refused = [pod.refused_at for pod in world.pods if pod.workflow == workflow]
    epoch = play.rules.next_epoch(asked_for.get(workflow, 0), in_store, refused)
    claimed = world.claimed
    if reads and current is not None and current.workflow_uid == workflow:
        claimed |= {workflow}
    if not play.bounds.zombies:
        for each in world.pods:
            world = gone(world, each, each.refused_at)
    pod = Pod(f"p{len(world.pods) + 1}", workflow, epoch, workflow not in claimed)
    asked_for[workflow] = epoch
    yield (
        f"the operator creates {pod.name} for workflow {workflow}, epoch {epoch}",
        world._replace(pods=(*world.pods, pod), asked_for=tuple(sorted(asked_for.items())), claimed=claimed),
    )


def _leaves(world: World, play: Play) -> Steps:
    """The first workflow is deleted: step by step, as the operator does it."""
    current = world.current
    leaving = Leaving("A", "Delete" if play.bounds.leaves == "Delete" else "Retain", dict(world.asked_for)["A"])
    if current is not None and current.workflow_uid != "A":
        return
    removable = [files for files in world.files if (epoch_of(f"{files.prefix}/") or 0) <= leaving.epoch]
    if current is not None and current.state is State.DELETING:
        for files in removable:
            yield (
                f"the operator deletes transaction {files.transactions[0][0]} of {files.prefix}",
                world.with_files(files.prefix, files.transactions[1:]),
            )
    record = play.rules.next_record(current, leaving, f"operator {leaving.policy}", is_empty=not removable)
    if record is None:
        if current is None and not world.left:
            yield "workflow A is deleted before it had any data", world._replace(left=True)
        return
    written = applied(world, record)._replace(left=True, released=True)
    if leaving.policy == "Delete":
        written = written._replace(acknowledged=frozenset())
    yield f"the operator writes CURRENT ({record.state})", written


def _arrivals(world: World) -> Steps:
    for late in world.late:
        rest = list(world.late)
        rest.remove(late)
        without = world._replace(late=tuple(rest))
        if isinstance(late, LateFile):
            yield f"a late upload of {late.prefix} arrives", without.with_file(late.prefix, late.txid, late.rows)
        elif world.current == late.condition:
            yield f"a late write of CURRENT arrives ({late.purpose})", applied(without, late.record)
        else:
            yield f"a late write of CURRENT is refused ({late.purpose})", without


def _losses(world: World) -> Steps:
    """What fails closed: a whole epoch that had acknowledged, the end of a sealed one, CURRENT."""
    lost = world._replace(lost_data=True)
    # A claim that found nothing and is still under way would not notice: that takes two faults at once.
    if world.current is not None and all(pod.phase in (Phase.OPEN, Phase.OVER, Phase.GONE) for pod in world.pods):
        yield "the store loses CURRENT", lost._replace(current=None)
    for files in world.files:
        yield f"the store loses {files.prefix}", lost.with_files(files.prefix, ())
    current = world.current
    if current is not None and current.state is State.SEALED and (held := world.prefix(current.entry.prefix)):
        yield f"the store loses the end of {current.entry.prefix}", lost.with_files(current.entry.prefix, held[:-1])


def broken(world: World, play: Play) -> str:
    """Which promise does not hold here; empty while all do."""
    if world.broken:
        return world.broken
    current = world.current
    if current is None:
        return "there is no CURRENT, but something was acknowledged" * bool(world.acknowledged and not world.lost_data)
    if current.state is State.DELETING or not current.lineage:
        return ""
    rows = _next_restore(current, world)
    if isinstance(rows, str):
        return "" if world.lost_data else f"the next life could not be restored: {rows}"
    if world.fork is not None and not world.lost_data and (why := broken_fork(world.fork, rows, play)):
        return why
    if gone_by := world.ends - set(_ends_of_history(current, world)):
        return f"no position holds {', '.join(min(gone_by)) or 'what was empty'} any more, where an epoch had ended"
    if missing := world.acknowledged - set(rows):
        return f"the next life would be restored without {', '.join(sorted(missing))}, which had been acknowledged"
    if current.state is State.SEALED and current.entry.sealed_txid is not None and not world.lost_data:
        sealed = world.restored(current.entry.prefix, current.entry.sealed_txid)
        if isinstance(sealed, str) or world.acknowledged - set(sealed):
            return "the seal does not cover what was acknowledged"
    return ""


def _next_restore(current: Current, world: World) -> tuple[str, ...] | str:
    """What a life would restore that claimed now, by the real rules whatever the model plays."""
    held = tuple((entry.epoch, world.newest(entry.prefix)) for entry in current.lineage)
    base = _next_base(current, held)
    if base is None or isinstance(base, str):
        return base or ()
    return world.restored(*base)


def _ends_of_history(current: Current, world: World) -> Iterator[tuple[str, ...]]:
    for segment in history(current):
        cap = segment.cap or world.newest(segment.entry.prefix)
        for txid in range(1, cap + 1):
            rows = world.restored(segment.entry.prefix, txid)
            if not isinstance(rows, str):
                yield rows


@cache
def _next_base(current: Current, held: tuple[tuple[int, int], ...]) -> tuple[str, int] | str | None:
    following = current.next("next", lineage=(*current.lineage, LineageEntry(current.epoch + 1, "next")))
    try:
        step = find_base(following, dict(held))
    except Refused as refused:
        return str(refused)
    assert not isinstance(step, Ask)
    return (step.base.prefix, step.base.txid) if step.base is not None else None


def search(play: Play, most_states: int) -> Explored[World]:
    """Everything within the bounds."""
    return explore(World(), partial(successors, play=play), partial(broken, play=play), most_states)
