"""How long is a workflow away when its node is? On the real cluster, with Kubernetes' and our own default settings.

`failover_s`: from the moment that the node's link is cut to the first step elsewhere, the operator running on the
other node. `failover_with_operator_s`: the same, the active operator being lost with the node.
"""

from __future__ import annotations

import sys
import time

from frame import Result, median, run
from on_cluster import Bench, bench, first_step_ns, settle


def failover_seconds(place: Bench, with_operator: bool, rounds: int) -> float:
    """The median of some losses of the node that the workflow runs on."""
    taken = []
    with place.working(ballast_bytes=0) as one:
        for _ in range(rounds):
            epoch = one.status()["epoch"] if one.status() else 1
            settle(one, epoch)
            node = one.node
            place.operator.move_leader(node, away=not with_operator)
            cut_ns = time.time_ns()
            with place.cluster.cut(node, "all"):
                taken.append((first_step_ns(one, epoch + 1) - cut_ns) / 1e9)
            place.operator.wait_until_available()
    return median(taken)


def failover(quick: bool) -> Result:
    with bench() as place:
        return Result("failover_s", failover_seconds(place, False, 1 if quick else 3), "s", 30, "lower")


def failover_with_operator(quick: bool) -> Result:
    with bench() as place:
        seconds = failover_seconds(place, True, 1 if quick else 3)
        return Result("failover_with_operator_s", seconds, "s", 45, "lower")


if __name__ == "__main__":
    sys.exit(
        run(
            "failover",
            {"failover_s": failover, "failover_with_operator_s": failover_with_operator},
            sys.argv[1:],
            quick_seconds={"failover_s": 80, "failover_with_operator_s": 80},
        )
    )
