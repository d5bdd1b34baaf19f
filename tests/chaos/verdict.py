"""Did a round keep what was promised? Decided from the register of what was acknowledged and from what was restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from history import Attempt, Loss, losses, lost_spans_seconds
from story import Durability


@dataclass(frozen=True)
class Started:
    """A start that was answered with success, by the life `epoch`. A client waits for each before it sends another."""

    client: str
    id: str
    epoch: int
    acknowledged_ns: int


@dataclass(frozen=True)
class Register:
    """What was seen outside of the pods: every attempt of each chain, and every acknowledged start in its order."""

    attempts: Mapping[int, Sequence[Attempt]]
    started: Sequence[Started] = ()

    def acknowledged(self) -> int:
        """How many writes: a step counts once its successor was attempted, a start once it was answered."""
        steps = sum(len({each.step for each in tries if each.step > 0}) for tries in self.attempts.values())
        return steps + len(self.started)


@dataclass(frozen=True)
class Restored:
    """What a restore from the store holds.

    Attributes:
        rows: chain, step and token of each row of the user's table, in the order of their keys.
        started: the ids of all executions, in the order in which they were started.
        problems: what the restore itself and the integrity check complained about.
    """

    rows: Sequence[tuple[int, int, str]] = ()
    started: Sequence[str] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """What was broken; empty where the promise was kept. `forgiven` is what Async lost within its bound."""

    lost: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    rerun: tuple[str, ...] = ()
    forgiven: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return not (self.lost or self.corrupt or self.rerun)


def judge(register: Register, restored: Restored, durability: Durability, max_lag_seconds: float) -> Verdict:
    """Compare. With Sync nothing may be missing; with Async one life may lose what it was told within the bound."""
    found: list[tuple[str, Loss]] = []
    for chain in _chains(register, restored):
        tokens = [token for of_chain, _, token in restored.rows if of_chain == chain]
        failed = losses(register.attempts.get(chain, ()), tokens)
        found += [(f"step {loss.step} of chain {chain} {loss.why}", loss) for loss in failed]
    there = set(restored.started)
    for start in register.started:
        if start.id not in there:
            told = f"start {start.id} of epoch {start.epoch} is gone"
            found.append((told, Loss(-1, start.epoch, start.acknowledged_ns, told)))
    corrupt = (*restored.problems, *_told(found, "made up"), *_disorder(register, restored))
    if durability == "Sync":
        return Verdict(_told(found, "lost"), corrupt, _told(found, "run again"))
    spans = lost_spans_seconds(loss for _, loss in found if loss.kind == "lost")
    beyond = [(told, loss) for told, loss in found if spans.get(loss.epoch, 0) > max_lag_seconds]
    gone = {(loss.step, loss.epoch, loss.acknowledged_ns) for _, loss in found if loss.kind == "lost"}
    rerun = [
        told
        for told, loss in found
        if loss.kind == "run again" and (loss.step, loss.epoch, loss.acknowledged_ns) not in gone
    ]
    lost = _told(beyond, "lost")
    return Verdict(lost, corrupt, tuple(rerun), tuple(told for told in _told(found, "lost") if told not in lost))


def _told(found: Sequence[tuple[str, Loss]], kind: str) -> tuple[str, ...]:
    return tuple(told for told, loss in found if loss.kind == kind)


def _chains(register: Register, restored: Restored) -> list[int]:
    return sorted({chain for chain, _, _ in restored.rows} | set(register.attempts))


def _disorder(register: Register, restored: Restored) -> list[str]:
    """What is no history: steps that are missing, doubled or swapped, starts that are doubled or swapped."""
    found = []
    for chain in _chains(register, restored):
        steps = [step for of_chain, step, _ in restored.rows if of_chain == chain]
        if steps != list(range(len(steps))):
            wrong = next(number for number, step in enumerate(steps) if number != step)
            found.append(f"row {wrong} of chain {chain} is step {steps[wrong]}")
    if len(set(restored.started)) != len(restored.started):
        found.append("an execution is there twice")
    order = {name: place for place, name in enumerate(restored.started)}
    newest: dict[str, Started] = {}
    for start in register.started:
        earlier = newest.get(start.client, start)
        if start.id in order:
            if order[earlier.id] > order[start.id]:
                found.append(f"start {start.id} stands before {earlier.id}, which was acknowledged before it was sent")
            newest[start.client] = start
    return found
