"""Is a changed module replayed before a pod has it? A real check beside a real pod, whatever comes of it."""

from __future__ import annotations

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(420), pytest.mark.usefixtures("operator")]

MODULE = """
import asyncio

from dormouse import activity, workflow

@activity
async def book(what: str) -> str:
    return what

@workflow
async def travel() -> None:
    await book("flight")
    await asyncio.sleep(3600)
"""
DIVERGES = MODULE.replace('    await book("flight")\n', '    await book("visa")\n    await book("flight")\n')
DOES_NOT_IMPORT = f"import nothing_of_the_kind\n{MODULE}"
GOES_ON = MODULE.replace("book(what: str) -> str:\n    return what", 'book(what: str) -> str:\n    return what + "!"')


def test_only_code_that_goes_on_with_what_is_open_gets_into_a_pod(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(
        cluster,
        namespace,
        spec={
            "entrypoint": "travels",
            "source": {"inline": MODULE},
            "start": {"workflow": "travel"},
            "updatePolicy": {"type": "Immediate", "replayCheck": True},
        },
    ).apply()

    def sleeps_in(epoch: int) -> None:
        def sleeps() -> bool:
            status = one.status()
            return status.get("epoch") == epoch and (status.get("executions") or {}).get("sleeping") == 1

        eventually(f"it sleeps in epoch {epoch}", sleeps, seconds=120)

    sleeps_in(1)
    one.patch(source={"inline": DIVERGES})
    told = one.wait_for_condition("UpToDate", "False", "ReplayDiverged", seconds=120)
    assert 'execution main: the log says ActivityScheduled book["flight"] as number 1 at travels.py:12' in told
    assert 'the code asks for ActivityScheduled book["visa"] as number 1 at travels.py:12' in told
    assert "Pod " in told
    assert one.condition("Stalled")["reason"] == "ReplayDiverged"
    assert one.condition("Ready")["status"] == "True"
    assert one.status()["epoch"] == 1

    # An accident does not bring the code into a pod that the check kept out.
    cluster.kubectl("--namespace", namespace, "delete", "pod", one.pod()["metadata"]["name"])
    sleeps_in(2)
    assert one.condition("Blocked")["reason"] == "NothingBlocked"
    assert one.condition("UpToDate")["status"] == "False"

    one.patch(source={"inline": DOES_NOT_IMPORT})
    failed = one.wait_for_condition("UpToDate", "False", "ReplayCheckFailed", seconds=120)
    assert "No module named 'nothing_of_the_kind'" in failed
    assert one.status()["epoch"] == 2

    one.patch(source={"inline": GOES_ON})
    sleeps_in(3)
    assert one.condition("UpToDate")["status"] == "True"
    assert one.condition("Blocked")["reason"] == "NothingBlocked"
    assert one.condition("Stalled")["status"] == "False"
    eventually("no check is left", lambda: not _checks(one), seconds=60)
    assert one.stored.current().epoch == 3, "no check claimed anything"


def _checks(one: ChainWorkflow) -> list[str]:
    selector = f"--selector=dormouse.dev/name={one.name},dormouse.dev/check"
    found = one.cluster.get("--namespace", one.namespace, "pods", selector)["items"]
    return [pod["metadata"]["name"] for pod in found]
