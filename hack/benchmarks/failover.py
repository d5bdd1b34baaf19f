"""How long is a workflow away when its node is? On the real cluster, with Kubernetes' and our own default settings.

`failover_s`: from the moment that the node's link is cut to the first step elsewhere, the operator running on the
other node. `failover_with_operator_s`: the same, the active operator being lost with the node.
"""

from __future__ import annotations

import sys
import time

from frame import Figure, Measured, run
from on_cluster import Bench, bench, first_step_ns, settle


def failover_seconds(place: Bench, with_operator: bool, rounds: int) -> Measured:
    """Some losses of the node that the workflow runs on."""
    taken = []
    with place.working(ballast_bytes=0) as one:
        for _ in range(rounds):
            epoch = one.status().get("epoch", 1)  # a status comes before the first life
            settle(one, epoch)
            node = one.node
            place.operator.move_leader(node, away=not with_operator)
            cut_ns = time.time_ns()
            with place.cluster.cut(node, "all"):
                taken.append((first_step_ns(one, epoch + 1) - cut_ns) / 1e9)
            place.operator.wait_until_available()
    return Measured(tuple(taken))


def failover(quick: bool) -> Measured:
    with bench() as place:
        return failover_seconds(place, False, 1 if quick else 3)


def failover_with_operator(quick: bool) -> Measured:
    with bench() as place:
        return failover_seconds(place, True, 1 if quick else 3)


FIGURES = [
    Figure("failover_s", "a node is lost", 30, "lower", failover, unit="s", quick_seconds=80),
    Figure(
        "failover_with_operator_s",
        "a node is lost, the active operator with it",
        45,
        "lower",
        failover_with_operator,
        unit="s",
        quick_seconds=80,
    ),
]

if __name__ == "__main__":
    sys.exit(run("failover", FIGURES, sys.argv[1:]))
