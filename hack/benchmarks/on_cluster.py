"""What do the benchmarks on the real cluster share? A namespace with an operator of this tree, and one workflow."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator, installed
from e2e.running_cluster import Cluster

# A life that works this long was Ready: replacing one that never was waits a second.
_SETTLED_STEPS = 40


@dataclass(frozen=True)
class Bench:
    """Where figures are taken."""

    cluster: Cluster
    namespace: str
    operator: InstalledOperator

    @contextmanager
    def working(self, ballast_bytes: int) -> Iterator[ChainWorkflow]:
        """A workflow whose steps take 50 ms and whose database holds so many bytes more."""
        one = ChainWorkflow(
            self.cluster, self.namespace, steps=1_000_000, step_seconds=0.05, ballast_bytes=ballast_bytes
        )
        one.apply()
        try:
            yield one
        finally:
            one.delete(seconds=180)


@contextmanager
def bench() -> Iterator[Bench]:
    """The cluster up, and the operator installed for a namespace of its own; both taken away again."""
    cluster = Cluster.up()
    namespace = f"bench-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    try:
        with installed(cluster, namespace) as operator:
            yield Bench(cluster, namespace, operator)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def settle(one: ChainWorkflow, epoch: int) -> None:
    """Wait until this life, or a later one, has worked for a while."""
    one.wait_for_epoch(epoch)
    one.wait_for_steps(_SETTLED_STEPS)


def first_step_ns(one: ChainWorkflow, epoch: int) -> int:
    """When the first step of this life began, by the clock that all nodes share."""
    one.wait_for_epoch(epoch)
    return min(attempt.at_ns for attempt in one.attempts() if attempt.epoch == epoch)
