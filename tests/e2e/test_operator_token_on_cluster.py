"""Does the operator go on when the API server does not take its token any more, and does it say so meanwhile?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(420)]

OPERATOR = "dormouse-operator"
TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


def wait_until_refused(operator: InstalledOperator) -> None:
    """None of the replicas is ready any more, and their logs say why."""

    def is_refused() -> bool:
        deployment = operator.cluster.get(f"--namespace={operator.namespace}", "deployment", OPERATOR)
        return not deployment["status"].get("readyReplicas") and "Unauthorized" in operator.logs()

    eventually("the operator's token is refused", is_refused, seconds=120)


@contextmanager
def missed_meanwhile(one: ChainWorkflow, operator: InstalledOperator) -> Iterator[None]:
    """While the operator is refused the workflow goes on, and a pod that ends is replaced only afterwards."""
    wait_until_refused(operator)
    one.wait_for_steps()
    pod = one.pod()["metadata"]["name"]
    one.cluster.kubectl(f"--namespace={one.namespace}", "delete", "pod", pod)
    assert one.pods() == []
    yield
    one.wait_for_epoch(2, seconds=150)
    assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == {1, 2}


def test_with_its_service_account_made_anew_it_says_that_it_is_refused_and_new_replicas_go_on(
    operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=400).apply()
    one.wait_for_steps()
    of_operator = f"--namespace={operator.namespace}"
    account = cluster.get(of_operator, "serviceaccount", OPERATOR)
    account["metadata"] = {name: account["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
    cluster.kubectl(of_operator, "delete", "serviceaccount", OPERATOR)
    cluster.apply(account)
    with missed_meanwhile(one, operator):
        cluster.kubectl(of_operator, "rollout", "restart", "deployment", OPERATOR)
        cluster.kubectl(of_operator, "rollout", "status", "deployment", OPERATOR, "--timeout=120s", seconds=130)


def test_a_token_that_ended_is_followed_by_the_next_one_without_a_restart(
    operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    of_operator = f"--namespace={operator.namespace}"
    write_token(operator, "first")
    volume = {"name": "token", "secret": {"secretName": "token"}}
    mounted = {"name": "operator", "volumeMounts": [{"name": "token", "mountPath": TOKEN_FOLDER, "readOnly": True}]}
    spec = {"automountServiceAccountToken": False, "containers": [mounted], "volumes": [volume]}
    patch = json.dumps({"spec": {"template": {"spec": spec}}})
    cluster.kubectl(of_operator, "patch", "deployment", OPERATOR, f"--patch={patch}")
    cluster.kubectl(of_operator, "rollout", "status", "deployment", OPERATOR, "--timeout=120s", seconds=130)
    operator.wait_until_alone(2)
    before = operator.containers()
    one = ChainWorkflow(cluster, namespace, steps=400).apply()
    one.wait_for_steps()
    # A token counts as long as what it is bound to is there.
    cluster.kubectl(of_operator, "delete", "secret", "first")
    with missed_meanwhile(one, operator):
        write_token(operator, "second")
        for pod in operator.pods():  # its kubelet looks at its volumes at once, not within a minute
            cluster.kubectl(of_operator, "annotate", "pod", pod["metadata"]["name"], "example.com/looked-at=yes")
    assert operator.containers() == before, operator.restarts()


def write_token(operator: InstalledOperator, bound_to: str) -> None:
    """A new token into the Secret `token`, as a kubelet would into the volume of a pod."""
    cluster, of_operator = operator.cluster, f"--namespace={operator.namespace}"
    metadata = {"namespace": operator.namespace}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": bound_to}})
    bound = ("--bound-object-kind=Secret", f"--bound-object-name={bound_to}")
    authority = cluster.get(of_operator, "configmap", "kube-root-ca.crt")["data"]["ca.crt"]
    written = {
        "token": cluster.kubectl(of_operator, "create", "token", OPERATOR, *bound).strip(),
        "ca.crt": authority,
        "namespace": operator.namespace,
    }
    cluster.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "token"}, "stringData": written}
    )
