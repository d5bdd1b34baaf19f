"""What happens in a round? A pure function of its seed: which blows a pod takes, when, and how the store misbehaves.

Moments are counted, not timed: the n-th attempt of a step, or the n-th request of a kind, since the act began. So the
same seed tells the same story on a slow machine as on a fast one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Durability = Literal["Sync", "Async"]


class Blow(StrEnum):
    """What happens to the newest pod at the moment of an act."""

    KILL_KEEPER = "kill keeper"
    KILL_LITESTREAM = "kill litestream"
    KILL_RUNTIME = "kill runtime"
    KILL_POD = "kill pod"  # every process at once; the kubelet starts them again on the same volume
    FREEZE_KEEPER = "freeze keeper"
    FREEZE_LITESTREAM = "freeze litestream"
    FREEZE_RUNTIME = "freeze runtime"
    OUTAGE = "store down"  # for everybody
    FILL_DISK = "fill disk"
    JUMP_CLOCK = "jump clock"  # of keeper and runtime
    REBOOT = "reboot"  # the volume is kept and its newest writes are torn; another boot id
    WIPE = "wipe volume"  # under the same pod UID
    EVICT = "evict"  # no grace, no volume
    DRAIN = "drain"  # with grace: runtime first, then keeper
    STRAND = "strand"  # the node freezes, a successor starts, and then the zombie wakes
    CUT_OFF = "cut off"  # the pod loses the store, a successor starts, and then the store is back for both


SPLIT_BRAIN = (Blow.STRAND, Blow.CUT_OFF)
FAILOVER = (Blow.REBOOT, Blow.EVICT, Blow.DRAIN, *SPLIT_BRAIN)
STAYS = tuple(blow for blow in Blow if blow not in FAILOVER)


class Request(StrEnum):
    """Which request to the store."""

    CURRENT_READ = "read of CURRENT"
    CURRENT_WRITE = "write of CURRENT"
    DATA_READ = "read of data"
    DATA_WRITE = "write of data"
    LISTING = "listing"


class Fault(StrEnum):
    """What the store does with a request."""

    ERROR_500 = "500"
    ERROR_503 = "503"
    CONFLICT = "409"
    SLOW = "slow"
    HANG = "hang"  # longer than the keeper waits
    RESET_BEFORE = "reset"
    RESET_AFTER = "reset after it was done"
    TRUNCATE = "truncated answer"
    LATE = "done late"  # reset at once; arrives at the store when the next life is at work


_WRITES = (Request.CURRENT_WRITE, Request.DATA_WRITE)
_READS = (Request.CURRENT_READ, Request.DATA_READ, Request.LISTING)
_ONLY = {
    Fault.CONFLICT: _WRITES,
    Fault.RESET_AFTER: _WRITES,
    Fault.LATE: _WRITES,
    Fault.TRUNCATE: _READS,
}
_RARE = {Fault.HANG}


@dataclass(frozen=True)
class StoreFault:
    """The requests `first` to `first + count - 1` of a kind meet it."""

    fault: Fault
    request: Request
    first: int
    count: int = 1

    def meets(self, request: Request, number: int) -> bool:
        return request is self.request and self.first <= number < self.first + self.count

    def __str__(self) -> str:
        return f"{self.fault} x{self.count} from {self.request} {self.first}"


@dataclass(frozen=True)
class Moment:
    """The `number`-th attempt of a step, or just before or after the store sees the `number`-th request of a kind."""

    what: Request | Literal["attempt"]
    number: int
    when: Literal["before", "after"] = "before"

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


@dataclass(frozen=True)
class Act:
    """One disturbance.

    Attributes:
        seconds: how long a freeze, an outage or a full disk lasts, and by how much a clock jumps.
        wakes: when a zombie is let go, counted on its successor.
    """

    blow: Blow
    moment: Moment
    faults: tuple[StoreFault, ...] = ()
    seconds: float = 0.0
    wakes: Moment | None = None

    def __str__(self) -> str:
        told = f"{self.blow} {self.moment}"
        if self.wakes is not None:
            told += f", let go {self.wakes}"
        return " + ".join((told, *map(str, self.faults)))


@dataclass(frozen=True)
class Story:
    """A round from its start to its end.

    Attributes:
        chains: how many chains of steps run side by side.
        sealed: the last life ends well; otherwise it is killed.
    """

    seed: int
    durability: Durability
    chains: int
    acts: tuple[Act, ...]
    sealed: bool

    def __str__(self) -> str:
        return f"{self.durability}; " + "; ".join(map(str, self.acts)) + ("; sealed" if self.sealed else "; killed")


def tell(seed: int, durability: Durability = "Sync", *, split_brain: bool = False) -> Story:
    """The story of a seed. Its last act always needs another life, and so do all in a round of split brain."""
    chance = random.Random(f"{seed}/{durability}/{split_brain}")
    acts: list[Act] = []
    fresh = True
    count = chance.choice((1, 2)) if split_brain else chance.choice((2, 3))
    for number in range(count):
        if split_brain:
            blows: Sequence[Blow] = SPLIT_BRAIN
        else:
            blows = FAILOVER if number == count - 1 else tuple(Blow)
        acts.append(_act(chance, chance.choice(blows), fresh, split_brain))
        fresh = acts[-1].blow in FAILOVER
    return Story(seed, durability, chance.randint(1, 3), tuple(acts), sealed=chance.random() < 0.3)


def _act(chance: random.Random, blow: Blow, fresh: bool, split_brain: bool) -> Act:
    faults = tuple(_fault(chance) for _ in range(0 if split_brain else chance.choice((0, 1, 1, 2))))
    wakes = _moment(chance, successor=True) if blow in SPLIT_BRAIN else None
    early = fresh and not split_brain and blow is not Blow.FILL_DISK and chance.random() < 0.35
    return Act(
        blow,
        _beginning(chance) if early else _moment(chance),
        faults,
        seconds=round(chance.uniform(0.2, 1.5), 1) * (chance.choice((1, -2, 2)) if blow is Blow.JUMP_CLOCK else 1),
        wakes=wakes,
    )


def _fault(chance: random.Random) -> StoreFault:
    fault = chance.choice([fault for fault in Fault if fault not in _RARE or chance.random() < 0.3])
    request = chance.choice(_ONLY.get(fault, tuple(Request)))
    once = fault in (Fault.HANG, Fault.LATE)
    busy = request in (Request.DATA_WRITE, Request.CURRENT_READ)
    return StoreFault(fault, request, chance.randint(1, 12 if busy else 3), 1 if once else chance.choice((1, 1, 2, 4)))


def _moment(chance: random.Random, successor: bool = False) -> Moment:
    if successor and chance.random() < 0.2:
        return _beginning(chance)
    if chance.random() < 0.25:
        return Moment(Request.DATA_WRITE, chance.randint(2, 10), chance.choice(("before", "after")))
    return Moment("attempt", chance.randint(1, 12))


def _beginning(chance: random.Random) -> Moment:
    """In the middle of a claim, of a restore, or of the first upload."""
    request, last = chance.choice(
        ((Request.CURRENT_WRITE, 3), (Request.CURRENT_READ, 2), (Request.DATA_READ, 2), (Request.LISTING, 1))
    )
    return Moment(request, chance.randint(1, last), chance.choice(("before", "after")))
