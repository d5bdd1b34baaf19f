"""Does a new workflow begin with another's data on a real cluster, which goes on meanwhile?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dormouse.replica.current import ForkOf
from e2e.chain_workflow import ChainWorkflow
from e2e.readers_shell import readers_shell
from e2e.running_cluster import Cluster, eventually

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


def test_a_fork_at_an_event_is_brought_in_by_its_manifest_and_goes_on_once_resumed(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    source = ChainWorkflow(cluster, namespace, steps=100_000).apply()
    source.wait_for_steps()
    reader, store = readers_shell(tmp_path), cluster.store
    reader.run(f"dormouse pull {source.name} --namespace {namespace} -o source.sqlite")
    reader.run("dormouse fork source.sqlite --execution main --at 3 -o mended.sqlite")
    mended = ChainWorkflow(cluster, namespace, name=f"{source.name}-mended")
    keys = f"AWS_ACCESS_KEY_ID={store['access_key_id']} AWS_SECRET_ACCESS_KEY={store['secret_access_key']}"
    printed = reader.run(
        f"kubectl --namespace {namespace} get durableworkflow {source.name} -o yaml |"
        f" {keys} dormouse import mended.sqlite --to s3://{store['bucket']}/{source.prefix}/{namespace}"
        f" --endpoint {store['endpoint']} --manifest - --name {mended.name} | kubectl create -f -"
    )
    assert printed == f"durableworkflow.dormouse.dev/{mended.name} created\n"
    mended.wait_for_condition("Ready")
    eventually("it is paused", lambda: "until somebody resumes it" in mended.status().get("waitingFor", ""), seconds=60)
    log = f"dormouse history {mended.name} main --namespace {namespace} -o json"
    assert reader.run(log).count('"ActivityCompleted"') == 1, "as far as it was forked"
    reader.run(f"dormouse resume {mended.name} --namespace {namespace} --execution main")
    eventually("it goes on", lambda: reader.run(log).count('"ActivityCompleted"') > 3, seconds=60)
    assert mended.stored.current().identity != source.stored.current().identity
