"""Does a program that is no workflow go on, with its data, after its pod has gone? That of the page, on a cluster."""

from __future__ import annotations

import re
import secrets

import pytest

from e2e.chain_workflow import store_documents
from e2e.running_cluster import Cluster, eventually
from markdown_blocks import REPOSITORY, blocks

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

PAGE = REPOSITORY / "docs" / "guests.md"


def test_the_program_of_the_page_says_each_number_once_though_its_pod_is_deleted(
    cluster: Cluster, namespace: str
) -> None:
    (program,) = (block.text for block in blocks(PAGE, "python") if block.title == "tally.py")
    name = f"tally-{secrets.token_hex(3)}"
    mine = ("--namespace", namespace)
    cluster.apply(
        *store_documents(cluster, namespace, namespace),
        {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "DurableWorkflow",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "entrypoint": "tally",
                "source": {"inline": program},
                "exec": {"command": ["python", "/etc/dormouse/source/tally.py", "60"]},
                "storage": {"storeRef": {"name": "kept"}},
            },
        },
    )

    def said(epoch: int) -> list[int]:
        logs = cluster.try_kubectl(*mine, "logs", f"{name}-e{epoch}", "--container=runtime")
        return [int(number) for number in re.findall(r"^(\d+) is safe at", logs.stdout, re.MULTILINE)]

    eventually("it counts", lambda: len(said(1)) > 3, seconds=90)
    before = said(1)
    cluster.kubectl(*mine, "delete", "pod", f"{name}-e1", "--wait=false")
    eventually("its next life counts", lambda: said(2), seconds=90)
    assert said(2)[0] > before[-1]

    def completed() -> bool:
        conditions = cluster.get(*mine, "durableworkflow", name).get("status", {}).get("conditions", ())
        return any(each["type"] == "Completed" and each["status"] == "True" for each in conditions)

    eventually("it is Completed", completed, seconds=90)
    assert said(2)[-1] == 60
