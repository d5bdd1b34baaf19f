"""What does durability cost: restores, barriers, memory, requests and bytes?"""

from __future__ import annotations

import sys

import durability_barrier
import durability_chaos
import durability_requests
import durability_restore
from frame import Figure, run

FIGURES = [  # what takes long stands last, where a quick run leaves it out
    Figure(
        "restore_1_extra_ms",
        "claim, restore of 1 MB and checks, minus Litestream's own restore, both checked in full",
        250,
        "lower",
        durability_restore.restore_1_extra_ms,
        unit="ms",
        quick_seconds=7,
    ),
    Figure(
        "barrier_ratio",
        "a barrier with one waiter / a PUT and a GET of the store, 20 ms added to every request",
        1.6,
        "lower",
        durability_barrier.barrier_ratio,
        quick_seconds=7,
    ),
    Figure(
        "barrier_1000_ratio",
        "a barrier with 1,000 waiters / with one",
        1.5,
        "lower",
        durability_barrier.barrier_1000_ratio,
        quick_seconds=7,
    ),
    Figure(
        "keeper_rss_mib",
        "resident memory of the keeper beyond Litestream's",
        25,
        "lower",
        durability_barrier.keeper_rss_mib,
        unit="MiB",
        quick_seconds=7,
    ),
    Figure(
        "chaos_lost",
        "acknowledged writes that a restore lacks after the short fixed set of hack/chaos",
        0,
        "lower",
        durability_chaos.chaos_lost,
        preparing=durability_chaos.preparing,
    ),
    Figure(
        "chaos_corrupt",
        "what is no history in those restores: gaps, doubles, damage",
        0,
        "lower",
        durability_chaos.chaos_corrupt,
        preparing=durability_chaos.preparing,
    ),
    Figure(
        "chaos_rerun",
        "acknowledged activities that ran again in them",
        0,
        "lower",
        durability_chaos.chaos_rerun,
        preparing=durability_chaos.preparing,
    ),
    Figure(
        "life_upload_ratio",
        "bytes uploaded in a life that changed one row of a 50 MB database / the database, compressed",
        2.1,
        "lower",
        durability_requests.life_upload_ratio,
        quick_seconds=15,
    ),
    Figure(
        "restore_50_ratio",
        "the same with 50 MB, ours / Litestream's own",
        1.3,
        "lower",
        durability_restore.restore_50_ratio,
        quick_seconds=15,
    ),
    Figure(
        "restore_500_ratio",
        "the same with 500 MB",
        1.15,
        "lower",
        durability_restore.restore_500_ratio,
        quick_seconds=100,
    ),
    Figure(
        "idle_requests_hour",
        "PUT and LIST of an idle pod in an hour, watched for 65 minutes",
        45,
        "lower",
        durability_requests.idle_requests_hour,
        unit="requests",
        quick_seconds=4000,
    ),
]

if __name__ == "__main__":
    sys.exit(run("durability", FIGURES, sys.argv[1:]))
