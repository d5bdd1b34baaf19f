"""What do some hundreds of workflows cost that nobody can run? Each is told what is wrong, and then costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from operator_api_documents import Document
from operator_api_server import error
from operator_fleet import Fleet, Tell, named, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

MANY = 60
"""Of each kind."""
KINDS: dict[str, Document] = {
    "StoreNotFound": {"storage": {"storeRef": {"name": "nowhere"}}},
    "SecretNotFound": {"storage": {"storeRef": {"name": "without-keys"}}},
    "InvalidTemplate": {"template": {"spec": {"containers": [{"name": "runtime", "env": [{"name": "TMPDIR"}]}]}}},
    "PodRefused": {"template": {"spec": {"serviceAccountName": "nobody"}}},
}
NAMES = {f"{reason.lower()}-{number:02}": reason for reason in KINDS for number in range(MANY)}
MOST_WRITES = {"StoreNotFound": 2, "SecretNotFound": 2, "InvalidTemplate": 4, "PodRefused": 7}
"""Status and events; a pod that is refused has a ConfigMap, and its workflow a finalizer."""


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


class Written:
    """By workflow; pods that nobody takes are refused, and counted apart."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def __call__(self, request: web.Request) -> web.Response | None:
        if request.method not in ("POST", "PATCH", "PUT"):
            return None
        made = await request.json() if request.method == "POST" else {}
        words = [*request.path.split("/"), made.get("metadata", {}).get("name", "")]
        workflow = next((name for name in NAMES if any(each.startswith(name) for each in words)), "")
        if workflow and request.path.endswith("/pods"):
            self.refused[workflow] += 1
            return error(403, 'pods is forbidden: error looking up service account noisy/nobody: "nobody" not found')
        if workflow:
            self.done[workflow] += 1
        return None


async def put(made: Fleet, plural: str, document: Document) -> None:
    metadata = {"name": document["metadata"]["name"], "namespace": "noisy"}
    await made.server.put(plural, {**document, "metadata": metadata})


async def apply_all(made: Fleet) -> None:
    """In a namespace of their own, and each kind once the one before is known to be stalled."""
    await put(made, "secrets", made.server.get("secrets", "local"))
    spec = made.server.get("objectstores", "local")["spec"]
    await put(made, "objectstores", {**named("ObjectStore", "local"), "spec": spec})
    keyless = {**spec, "credentials": {"secretRef": {"name": "nobody-made-it"}}}
    await put(made, "objectstores", {**named("ObjectStore", "without-keys"), "spec": keyless})
    for kind, of_kind in KINDS.items():
        mine = {name: reason for name, reason in NAMES.items() if reason == kind}
        for name in mine:
            common = {"source": {"inline": "pass\n"}, "storage": {"storeRef": {"name": "local"}}}
            await put(made, "durableworkflows", {**named("DurableWorkflow", name), "spec": {**common, **of_kind}})
        await made.server.until(lambda mine=mine: stalled(made, mine) == mine)  # type: ignore[misc]


def stalled(made: Fleet, names: Iterable[str]) -> dict[str, str]:
    """Why, by name; looked at as they are, since they are many."""
    found = {}
    for name in names:
        status: dict[str, Any] = made.server.objects["durableworkflows", "noisy", name].get("status") or {}
        why = [each for each in status.get("conditions", ()) if (each["type"], each["status"]) == ("Stalled", "True")]
        found[name] = why[0]["reason"] if why else ""
    return found


@pytest.mark.timeout(300)
def test_they_cost_a_few_writes_each_and_no_look_without_a_reason_and_another_namespace_is_served(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        written = Written()
        await made.apply_store()
        with made.server.fault(written):
            async with made.operator(relist_seconds=0.5):
                await made.apply()
                await apply_all(made)
                await made.runs("report-e1")
                await made.phase("Running")
                await made.calm()
                too_many = {name: n for name, n in written.done.items() if n > MOST_WRITES[NAMES[name]]}
                assert too_many == {}
                assert set(written.done) == set(NAMES)
                told = Counter(written.done)
                await made.server.lists(4)
                await made.calm()
                assert written.done == told, "that they are seen again is no news"
                (operator,) = made.operators
                planned = [task.key[1] for task in operator.queue._timers if task.kind == "workflow"]
                again = Counter(NAMES[name] for name in planned if name in NAMES)
                assert set(again) <= {"SecretNotFound", "PodRefused"}, "the others wait for a change"
                assert again["SecretNotFound"] == MANY, "they are looked at after a long while, if nobody tells"
                load = operator.queue.load()
                assert (load.ready, load.working, load.failing) == (0, 0, 0)
                await made.apply("another")
                await made.server.until(lambda: "another-e1" in made.server.names("pods"))

    tell(story)


def test_a_secret_that_comes_wakes_all_that_wait_for_it_by_one_look(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.controller.stores._ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr("dormouse_operator.controller.credentials._ABSENT_SECONDS", 0.1)

    async def story(made: Fleet) -> None:
        await made.apply_store()
        secret = made.server.get("secrets", "local")
        await made.server.remove("secrets", "local")
        async with made.operator():
            for number in range(20):
                await made.apply(f"waits-{number}")
            waiting = [f"waits-{number}" for number in range(20)]
            await made.server.until(
                lambda: all(made.condition("Stalled", name).get("reason") == "SecretNotFound" for name in waiting)
            )
            await made.server.put("secrets", secret)
            await made.server.until(lambda: len(made.live_pods()) == 20)

    tell(story)
