"""Is a story of the cluster the same each time it is told, and do stories tell of everything that may happen?"""

from __future__ import annotations

from cluster_story import FAILOVER, LASTING, SPLIT_BRAIN, Hit, tell_of_cluster

SEEDS = range(1, 501)


def test_a_seed_always_tells_the_same_story() -> None:
    assert [str(tell_of_cluster(seed)) for seed in (1, 2)] == [
        (
            "Sync; 2 workflows; cut node from store for 8 s after 6 steps; cut node from store for 9 s after 4 steps; "
            "cut node from API server after 6 steps"
        ),
        "Sync; 3 workflows; store down for 8 s after 3 steps; delete pod without grace after 4 steps",
    ]


def test_everything_that_may_happen_comes_up() -> None:
    acts = [act for seed in SEEDS for act in tell_of_cluster(seed).acts]
    assert {act.hit for act in acts} == set(Hit)
    assert {act.hit for act in acts if act.seconds} == set(LASTING)


def test_the_last_act_always_needs_another_life() -> None:
    assert {tell_of_cluster(seed).acts[-1].hit for seed in SEEDS} == set(FAILOVER)


def test_in_split_brain_there_are_only_nodes_that_are_cut_off() -> None:
    acts = [act for seed in SEEDS for act in tell_of_cluster(seed, split_brain=True).acts]
    assert {act.hit for act in acts} == set(SPLIT_BRAIN)
