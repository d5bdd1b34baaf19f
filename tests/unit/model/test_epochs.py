"""Is no acknowledged write lost, whatever happens in whatever order? Every state within small bounds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from epochs import search
from removals import HARMLESS, REMOVALS
from rules import Bounds, Play

SHORT = {
    "two lives": Bounds(pods=2, rows=2),
    "a crash, a lost volume and a late request": Bounds(pods=1, rows=2, crashes=1, wiped=True, delays=1),
    "a machine that restarts": Bounds(pods=1, rows=2, crashes=1, reboots=True),
    "seals": Bounds(pods=2, rows=1, seals=True),
    "collection": Bounds(pods=2, rows=1, collects="old"),
    "copies of what came before": Bounds(pods=3, rows=1, collects="copies", zombies=False),
    "a fork": Bounds(pods=2, rows=1, forks="newest", zombies=False),
    "a fork beside collection": Bounds(pods=3, rows=0, forks="newest", collects="copies", zombies=False),
    "adoption": Bounds(pods=2, rows=1, leaves="Retain"),
    "deletion": Bounds(pods=2, rows=1, leaves="Delete", zombies=False),
    "a store that loses data": Bounds(pods=2, rows=1, seals=True, losses=True),
}

LONG = {
    "two lives, crashes and late requests": Bounds(pods=2, rows=1, crashes=1, wiped=True, delays=1),
    "three lives": Bounds(pods=3, rows=1),
    "a fork beside zombies": Bounds(pods=2, rows=1, forks="newest"),
    "a fork of an earlier position": Bounds(pods=2, rows=1, forks="1/1"),
    "a fork beside collection of what was written": replace(SHORT["a fork beside collection"], rows=1),
    "a fork that dies, beside two lives": Bounds(pods=2, rows=1, forks="newest", crashes=1),
    "a fork of two lives that write twice": Bounds(pods=2, rows=2, forks="newest"),
}


def holds(bounds: Bounds, most_states: int) -> None:
    explored = search(Play(bounds), most_states)
    print(explored)
    assert not explored.broken, str(explored)
    assert explored.complete, "raise the limit: not every state was seen"


@pytest.mark.parametrize("bounds", SHORT.values(), ids=SHORT)
def test_nothing_acknowledged_is_lost(bounds: Bounds) -> None:
    holds(bounds, 100_000)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bounds", LONG.values(), ids=LONG)
def test_nothing_acknowledged_is_lost_in_larger_bounds(bounds: Bounds) -> None:
    holds(bounds, 5_000_000)


@pytest.mark.parametrize("rule", REMOVALS)
def test_without_a_rule_something_breaks(rule: str) -> None:
    removal = REMOVALS[rule]
    explored = search(removal.play, 100_000)
    print(f"without: {rule}\n{explored}")
    assert explored.broken, f"nothing breaks without it in {explored.states} states"
    assert re.search(removal.breaks, explored.broken), str(explored)


@pytest.mark.parametrize("rule", HARMLESS)
def test_a_rule_whose_removal_breaks_no_promise_says_what_it_is_for(rule: str) -> None:
    removal, reason = HARMLESS[rule]
    explored = search(removal.play, 100_000)
    print(f"without: {rule}: {reason}\n{explored}")
    assert not explored.broken, str(explored)
