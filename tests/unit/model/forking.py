"""What may a fork do, and what must it hold? Another workflow reads this one's history while its lives go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rules import Play
from world import Fork, World

from dormouse.replica.current import Current, Position, State
from dormouse.replica.history import AskFiles, File, Resolved
from dormouse.replica.refusal import Refused

Steps = Iterator[tuple[str, World]]
_STORED = datetime(2000, 1, 1, tzinfo=UTC)


def fork_steps(world: World, play: Play) -> Steps:
    """One request of it at a time: CURRENT of the source, listings, CURRENT again, its own claim, the restore."""
    fork = world.fork or Fork()
    match fork.phase:
        case "start":
            settled = _has_data(world.current) and play.rules.is_settled(world.current)
            if settled:
                read = fork._replace(phase="resolve", source=world.current, wanted=fork.wanted or world.acknowledged)
                yield "the fork reads CURRENT of its source", world._replace(fork=read)
        case "resolve":
            yield _resolves(world, fork, play)
        case "check":
            assert fork.source is not None
            later = not _has_data(world.current) or _epochs(world.current) != _epochs(fork.source)
            if later and "a fork reads CURRENT again" not in play.rules.without:
                yield "the fork finds a later life in CURRENT of its source", world._replace(fork=_begins_again(fork))
            else:
                claimed = fork._replace(phase="restore", source=None, known=())
                if play.bounds.collects or play.bounds.losses:
                    yield f"the fork claims, and pins {fork.base}", world._replace(fork=claimed)
                else:  # nothing is ever taken away, so it is the same when it restores later
                    yield _restores(world, claimed)
        case "restore":
            yield _restores(world, fork)
        case "restored" if world.crashes < play.bounds.crashes:
            again = world._replace(fork=fork._replace(phase="restore"), crashes=world.crashes + 1)
            yield "the fork is killed before its first upload", again


def _has_data(current: Current | None) -> bool:
    return current is not None and current.state is not State.DELETING and bool(current.lineage)


def _epochs(current: Current | None) -> list[int]:
    return [entry.epoch for entry in current.lineage] if current is not None else []


def _begins_again(fork: Fork) -> Fork:
    return Fork(wanted=fork.wanted)


def _resolves(world: World, fork: Fork, play: Play) -> tuple[str, World]:
    at = None if play.bounds.forks == "newest" else Position.parse(play.bounds.forks)
    files = {prefix: [File(f"{txid}", txid, txid, _STORED) for txid in txids] for prefix, txids in fork.known}
    try:
        step = play.rules.resolve(fork.source, at, files, {})
    except Refused as refused:
        # There is nothing yet, or no such position; whoever asked may ask again.
        return f"the fork is refused: {refused}", world._replace(fork=_begins_again(fork))
    if isinstance(step, Resolved):
        return f"the fork chooses {step.base}", world._replace(fork=fork._replace(phase="check", base=step.base))
    assert isinstance(step, AskFiles)
    held = tuple(txid for txid, _ in world.prefix(step.entry.prefix))
    known = (*fork.known, (step.entry.prefix, held))
    told = f"the fork lists epoch {step.entry.epoch} of its source: {len(held)} transactions"
    return told, world._replace(fork=fork._replace(known=known))


def _restores(world: World, fork: Fork) -> tuple[str, World]:
    assert fork.base is not None
    rows = world.restored(fork.base.prefix, fork.base.txid)
    if isinstance(rows, str):
        return f"the fork is refused: {rows}", world._replace(fork=fork._replace(phase="refused"))
    if fork.rows is not None and fork.rows != rows:
        world = world._replace(broken=f"the fork was restored with {fork.rows} at first and with {rows} later")
    told = f"the fork restores {fork.base}: {', '.join(rows) or 'empty'}"
    return told, world._replace(fork=fork._replace(phase="restored", rows=rows))


def broken_fork(fork: Fork, history: tuple[str, ...], play: Play) -> str:
    """What of a fork's promises does not hold: all of the source as it was asked for, and nothing of a zombie's."""
    if fork.phase == "refused" and play.bounds.collects != "old" and not play.bounds.losses:
        return "a fork could not be restored although nothing of its source had grown old"
    if fork.rows is None:
        return ""
    if fork.rows != history[: len(fork.rows)]:
        return f"a fork holds {', '.join(fork.rows)}, and its source's history is {', '.join(history) or 'empty'}"
    if play.bounds.forks == "newest" and (missing := fork.wanted - set(fork.rows)):
        return f"a fork lacks {', '.join(sorted(missing))}, which had been acknowledged before it began"
    return ""
