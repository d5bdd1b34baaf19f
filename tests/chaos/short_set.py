"""Which rounds are played in every run of the tests and of the bench?"""

from __future__ import annotations

SYNC = ("--seed", "5", "--rounds", "4")
ASYNC = ("--seed", "1", "--rounds", "2", "--durability", "Async")
SPLIT_BRAIN = ("--split-brain", "--seed", "3", "--rounds", "2")
