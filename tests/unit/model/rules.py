"""By which rules does the model play? Those of the keeper and the operator, each of which can be taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dormouse.keeper.barrier import next_step
from dormouse.replica.base import find_base
from dormouse.replica.claim import decide
from dormouse.replica.collection import collect
from dormouse.replica.history import is_settled, resolve
from dormouse.replica.holding import is_own_seal, is_pinned, is_same_life, outcome, pinned, replicated, sealed
from dormouse_operator.plan.deciding import next_epoch
from dormouse_operator.store.release import next_record


@dataclass(frozen=True)
class Rules:
    """The product's own functions; `without` names orders of requests that are not kept."""

    decide: Callable[..., Any] = decide
    find_base: Callable[..., Any] = find_base
    outcome: Callable[..., Any] = outcome
    is_same_life: Callable[..., Any] = is_same_life
    is_own_seal: Callable[..., Any] = is_own_seal
    is_pinned: Callable[..., Any] = is_pinned
    pinned: Callable[..., Any] = pinned
    replicated: Callable[..., Any] = replicated
    sealed: Callable[..., Any] = sealed
    next_step: Callable[..., Any] = next_step
    collect: Callable[..., Any] = collect
    resolve: Callable[..., Any] = resolve
    is_settled: Callable[..., Any] = is_settled
    next_epoch: Callable[..., Any] = next_epoch
    next_record: Callable[..., Any] = next_record
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bounds:
    """How much may happen.

    Attributes:
        zombies: whether an older pod may go on when the next is created.
        crashes: processes that die, in all.
        wiped: whether a volume may be lost under the same pod.
        reboots: whether a machine may lose its power, and with it what it said to have on disk.
        delays: answers that are lost and requests that arrive late or never, in all.
        collects: what goes: what is "old", at once, or "copies" only, with a retention that never ends.
        leaves: how the first workflow is deleted; another of its name follows.
        losses: whether the store may lose what it had.
        forks: where another workflow begins from this one: "newest", or a position.
    """

    pods: int = 2
    zombies: bool = True
    rows: int = 2
    crashes: int = 0
    wiped: bool = False
    reboots: bool = False
    delays: int = 0
    seals: bool = False
    collects: str = ""
    leaves: str = ""
    losses: bool = False
    forks: str = ""


@dataclass(frozen=True)
class Play:
    """The rules within bounds."""

    bounds: Bounds
    rules: Rules = field(default_factory=Rules)
