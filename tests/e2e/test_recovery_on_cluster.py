"""Does a new workflow begin with another's data on a real cluster, which goes on meanwhile?"""

from __future__ import annotations

import pytest

from dormouse.replica.current import ForkOf
from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]


def test_a_fork_begins_with_what_its_source_was_and_rests_while_the_source_goes_on(
    cluster: Cluster, namespace: str
) -> None:
    source = ChainWorkflow(cluster, namespace).apply()
    source.wait_for_steps()
    fork = ChainWorkflow(cluster, namespace, spec={"restore": {"fromName": source.name}}).apply()
    fork.wait_for_condition("Ready")
    assert source.finish() == []
    assert "is paused until somebody resumes it" in fork.status()["waitingFor"]
    begun, earlier = fork.stored.current(), source.stored.current()
    assert begun.origin == ForkOf(earlier.identity)
    assert begun.identity != earlier.identity
    base = begun.lineage[0].base
    assert base is not None
    assert (base.prefix, base.epoch) == (earlier.lineage[0].prefix, 1)
    assert fork.reached() == 0, "what was open in the source has not gone on here"
    refused = cluster.try_kubectl(
        "--namespace", namespace, "patch", "durableworkflow", fork.name, "--type=merge",
        '--patch={"spec":{"restore":{"fromName":"another"}}}',
    )  # fmt: skip
    assert refused.returncode != 0
    assert "restore cannot be changed" in refused.stderr


def test_a_source_that_is_not_there_is_named_and_nothing_begins(cluster: Cluster, namespace: str) -> None:
    fork = ChainWorkflow(cluster, namespace, spec={"restore": {"fromName": "never-there"}}).apply()
    assert "never-there" in fork.wait_for_condition("Stalled", "True", "RestoreSourceMissing")
    assert fork.reached() == 0
