"""What happens in a round on the real cluster? A pure function of its seed, with moments counted in steps."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from story import Durability


class Hit(StrEnum):
    """What happens to the newest pod of the first workflow, to its node, to the store or to the operator."""

    KILL_RUNTIME = "kill runtime"
    KILL_KEEPER = "kill keeper"
    KILL_OPERATOR = "kill operator"
    STOP_KUBELET = "stop kubelet"
    STORE_DOWN = "store down"
    CUT_FROM_STORE = "cut node from store"
    DELETE = "delete pod"
    DELETE_NOW = "delete pod without grace"
    DRAIN = "drain node"
    CUT_OFF = "cut node off"
    CUT_FROM_API = "cut node from API server"  # its pod lives on, and writes


SPLIT_BRAIN = (Hit.CUT_OFF, Hit.CUT_FROM_API)
FAILOVER = (Hit.DELETE, Hit.DELETE_NOW, Hit.DRAIN, *SPLIT_BRAIN)
LASTING = (Hit.STOP_KUBELET, Hit.STORE_DOWN, Hit.CUT_FROM_STORE)


@dataclass(frozen=True)
class ClusterAct:
    """One disturbance, after so many more steps; `seconds` is how long one that heals by itself lasts."""

    hit: Hit
    after_steps: int
    seconds: int = 0

    def __str__(self) -> str:
        lasting = f" for {self.seconds} s" if self.seconds else ""
        return f"{self.hit}{lasting} after {self.after_steps} steps"


@dataclass(frozen=True)
class ClusterStory:
    """A round from the first apply to the results; `chains` is how many workflows run side by side."""

    seed: int
    durability: Durability
    chains: int
    acts: tuple[ClusterAct, ...]

    def __str__(self) -> str:
        side_by_side = "1 workflow" if self.chains == 1 else f"{self.chains} workflows"
        return "; ".join((self.durability, side_by_side, *map(str, self.acts)))


def tell_of_cluster(seed: int, durability: Durability = "Sync", *, split_brain: bool = False) -> ClusterStory:
    """The story of a seed. Its last act always needs another life, and so do all in a round of split brain."""
    chance = random.Random(f"cluster/{seed}/{durability}/{split_brain}")
    count = 1 if split_brain else chance.choice((2, 3))
    acts = []
    for number in range(count):
        hits = SPLIT_BRAIN if split_brain else FAILOVER if number == count - 1 else tuple(Hit)
        hit = chance.choice(hits)
        seconds = chance.randint(3, 15) if hit in LASTING else 0
        acts.append(ClusterAct(hit, chance.randint(1, 8), seconds))
    return ClusterStory(seed, durability, chance.randint(1, 3), tuple(acts))
