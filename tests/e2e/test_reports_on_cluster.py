"""Does `kubectl` tell a person what a workflow waits for, and why it does not go on? Real tokens, two operators."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.chain_workflow import store_documents
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

SLEEPS = """
import asyncio
from dormouse import activity, workflow

@activity
async def charge(order: int) -> None: ...

@workflow
async def handle(order: int) -> None:
    await charge(order)
    await asyncio.sleep(3600)
"""
ASKS_FOR_ANOTHER = SLEEPS.replace("charge", "refund")
RETRIES = """
from dormouse import RetryPolicy, activity, workflow

@activity(retry=RetryPolicy(initial_seconds=600, maximum_seconds=600))
async def charge(order: int) -> None:
    raise ConnectionError("the bank does not answer")

@workflow
async def handle(order: int) -> None:
    await charge(order)
"""
ASK_THE_API_SERVER = """
import os, ssl, sys, urllib.error, urllib.request
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/namespaces"
token = open("/var/run/dormouse/token").read()
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
try:
    print(urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=10).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


@dataclass
class Orders:
    """A DurableWorkflow of one order."""

    cluster: Cluster
    namespace: str
    source: str
    name: str = field(default_factory=lambda: f"orders-{secrets.token_hex(3)}")

    def apply(self) -> Orders:
        self.cluster.apply(
            *store_documents(self.cluster, self.namespace, self.namespace),
            {
                "apiVersion": "dormouse.dev/v1alpha1",
                "kind": "DurableWorkflow",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "entrypoint": "orders",
                    "source": {"inline": self.source},
                    "start": {"workflow": "handle", "input": 7},
                    "storage": {"storeRef": {"name": "kept"}},
                },
            },
        )
        return self

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.get("--namespace", self.namespace, "durableworkflow", self.name)
        status: dict[str, Any] = found.get("status") or {}
        return status

    def blocked(self, status: str) -> str:
        """Wait until the condition Blocked is so; its message."""

        def met() -> dict[str, Any] | None:
            found = [each for each in self.status().get("conditions", ()) if each["type"] == "Blocked"]
            return found[0] if found and found[0]["status"] == status else None

        found = eventually(f"Blocked is {status}", met, seconds=90)
        assert found is not None
        return str(found["message"])

    def waits(self, words: str) -> str:
        """Wait until the sentence has these words; the line of `kubectl get -o wide`."""
        eventually(f"it waits: {words}", lambda: words in self.status().get("waitingFor", ""), seconds=90)
        wide = ("get", "durableworkflow", self.name, "--output=wide", "--no-headers")
        return self.cluster.kubectl("--namespace", self.namespace, *wide)

    def delete(self) -> None:
        """While the operator is there to let it go."""
        self.cluster.kubectl("--namespace", self.namespace, "delete", "durableworkflow", self.name, seconds=90)

    def run(self, container: str, *command: str) -> str:
        where = ("exec", f"{self.name}-e{self.status()['epoch']}", f"--container={container}", "--")
        return self.cluster.try_kubectl("--namespace", self.namespace, *where, *command).stdout.strip()


@pytest.fixture
def apply(cluster: Cluster, namespace: str) -> Iterator[Callable[[str], Orders]]:
    """Applies a workflow of this source; it is deleted at the end of the test."""
    made: list[Orders] = []

    def applied(source: str) -> Orders:
        made.append(Orders(cluster, namespace, source))
        return made[-1].apply()

    yield applied
    for one in made:
        one.delete()


def test_a_person_sees_what_a_workflow_waits_for(apply: Callable[[str], Orders]) -> None:
    one = apply(SLEEPS)
    assert "main sleeps until 20" in one.waits("main sleeps until")
    status = one.status()
    assert status["executions"] == {"open": 1, "running": 0, "sleeping": 1, "waiting": 0, "retrying": 0, "blocked": 0}
    assert status["nextWakeAt"].endswith("Z")


def test_a_person_sees_which_activity_fails_and_when_it_is_tried_again(apply: Callable[[str], Orders]) -> None:
    one = apply(RETRIES)
    line = one.waits("main retries charge at 20")
    assert "(attempt 2) after ConnectionError: the bank does not answer" in line


def test_a_workflow_whose_code_changed_is_blocked_until_it_is_put_right(apply: Callable[[str], Orders]) -> None:
    one = apply(SLEEPS)
    one.waits("main sleeps until")
    one.source = ASKS_FOR_ANOTHER
    one.apply()
    message = one.blocked("True")
    assert "charge" in message
    assert "refund" in message
    assert message.count("orders.py:") == 2
    assert message in one.cluster.kubectl("--namespace", one.namespace, "describe", "durableworkflow", one.name)
    one.source = SLEEPS
    one.apply()
    one.blocked("False")


def test_the_token_of_the_keeper_opens_nothing_else_and_the_user_s_code_has_none(
    apply: Callable[[str], Orders],
) -> None:
    one = apply(SLEEPS)
    one.waits("main sleeps until")
    assert one.run("litestream", "python", "-c", ASK_THE_API_SERVER) == "401"
    assert one.run("runtime", "sh", "-c", "ls /var/run/dormouse /var/run/secrets 2>/dev/null") == ""
