"""Do a store and its Secret stay as long as a workflow has data there, and no longer? A namespace too must end well."""

from __future__ import annotations

import asyncio

import certifi
import pytest
from aiohttp import web
from operator_api_documents import Document
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import SealReason, State
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.plan import IN_USE_FINALIZER

HELD = ("objectstores", "secrets")


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no watch tells is noticed sooner."""
    monkeypatch.setattr("dormouse_operator.controller.stores._ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr("dormouse_operator.controller.credentials._FRESH_SECONDS", 0.1)


def finalizers(made: Fleet, plural: str, name: str = "local") -> list[str]:
    return made.server.get(plural, name)["metadata"].get("finalizers") or []


def is_held(made: Fleet) -> bool:
    return all(IN_USE_FINALIZER in finalizers(made, plural) for plural in HELD)


async def kubelet(made: Fleet, reason: SealReason = SealReason.STOPPED) -> None:
    """The pod that was told to end seals and goes."""
    await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
    await made.seal(reason)
    await made.server.remove("pods", "report-e1")


def in_use(made: Fleet, store: str = "local") -> Document:
    return made.condition("InUse", store, "objectstores")


def test_the_store_and_its_secret_are_held_before_the_first_pod(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            asked = made.server.requests
            first_pod = asked.index("POST /api/v1/namespaces/team/pods")
            for plural in HELD:
                assert any(each.startswith("PATCH") and f"/{plural}/local" in each for each in asked[:first_pod])
            assert is_held(made)
            assert in_use(made)["status"] == "True"

    tell(story)


def test_a_store_and_a_secret_that_are_deleted_wait_for_the_data_and_say_for_whose(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            for plural in HELD:
                await made.server.delete(plural, "local")
            await made.server.until(lambda: in_use(made)["reason"] == "DeletionWaits")
            assert in_use(made)["message"].endswith(": report")
            await made.server.until(lambda: made.reasons().count("DeletionWaits") == 2)
            about = {event["involvedObject"]["kind"] for event in made.server.all("events")}
            assert about >= {"ObjectStore", "Secret"}

            await made.server.delete("durableworkflows", "report")
            await kubelet(made)
            await made.server.until(lambda: not any(made.server.names(plural) for plural in HELD))
        assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_a_store_that_nobody_uses_any_more_is_let_go(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.delete("durableworkflows", "report")
            await kubelet(made)
            await made.server.until(lambda: not any(finalizers(made, plural) for plural in HELD))
            assert in_use(made)["reason"] == "NotUsed"
            assert "holds" not in made.server.get("objectstores", "local")["status"]
            # And held again for the next.
            await made.apply("another")
            await made.server.until(lambda: is_held(made))

    tell(story)


def test_the_last_workflow_is_gone_only_when_its_store_was_let_go(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async def fault(_: web.Request) -> web.Response | None:
            is_gone = "report" not in made.server.names("durableworkflows")
            return error(503, "whoever waited for that has uninstalled the operator") if is_gone else None

        async with made.operator() as stop:
            await made.running()
            with made.server.fault(fault):
                await made.server.delete("durableworkflows", "report")
                await kubelet(made)
                await made.gone()
                stop.set()
        assert not any(finalizers(made, plural) for plural in HELD)

    tell(story)


@pytest.mark.parametrize(
    ("first", "policy"),
    [("secrets", "Retain"), ("objectstores", "Delete"), ("durableworkflows", "Delete"), ("pods", "Retain")],
)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["same-operator", "new-operator"])
def test_a_deleted_namespace_ends_with_its_data_released(
    tell: Tell, first: str, policy: str, is_restarted: bool
) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first") as stop:
            await made.apply_store()
            await made.apply(deletionPolicy=policy)
            await made.runs("report-e1")
            await made.phase("Running")
            await made.calm()
            if is_restarted:
                stop.set()
            else:
                await made.server.delete_namespace(first)
                await kubelet(made)
                await made.server.until(lambda: not made.server.left())
        if is_restarted:
            await made.server.delete_namespace(first)
            async with made.operator("second"):
                await kubelet(made)
                await made.server.until(lambda: not made.server.left())
        current = await made.read_current()
        assert (current.state, bool(current.lineage)) == (State.RELEASED, policy == "Retain")

    tell(story)


def test_what_cannot_be_created_in_a_deleted_namespace_is_not_tried_for_ever(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            made.server.end_creation()
            await made.server.delete("pods", "report-e1")
            await kubelet(made)
            # Released at once: whatever comes next may take away the right to do it.
            await made.server.until(lambda: not any(finalizers(made, plural) for plural in HELD))
            await made.calm()
            assert (await made.read_current()).state is State.RELEASED
            assert not made.server.get("durableworkflows", "report")["metadata"]["finalizers"]
            before = len(made.server.requests)
            await made.server.delete_namespace("secrets")
            await made.server.until(lambda: not made.server.left())
            posts = [each for each in made.server.requests[before:] if each.startswith("POST") and "pods" in each]
            assert posts == []

    tell(story)


def test_a_secret_that_the_store_names_no_more_is_let_go(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            old = made.server.get("secrets", "local")
            renamed: Document = {**old, "metadata": {"name": "rotated", "namespace": "team"}}
            await made.server.put("secrets", renamed)

            def rotate(document: Document) -> None:
                document["spec"]["credentials"]["secretRef"]["name"] = "rotated"

            await made.server.change("objectstores", "local", rotate)
            await made.server.until(lambda: IN_USE_FINALIZER in finalizers(made, "secrets", "rotated"))
            await made.server.until(lambda: not finalizers(made, "secrets"))
            holds = [{"kind": "Secret", "name": "rotated"}]
            await made.server.until(lambda: made.server.get("objectstores", "local")["status"]["holds"] == holds)

    tell(story)


def test_the_certificates_of_a_store_are_kept_too(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        named = {"name": "trust", "namespace": "team"}
        await made.server.put("configmaps", {"metadata": named, "data": {"ca.crt": certifi.contents()}})
        async with made.operator():
            await made.apply_store(caBundle={"configMapRef": {"name": "trust"}})
            await made.apply()
            await made.runs("report-e1")
            await made.phase("Running")
            assert IN_USE_FINALIZER in finalizers(made, "configmaps", "trust")
            await made.server.delete_namespace("configmaps")
            await kubelet(made)
            await made.server.until(lambda: not made.server.left())

    tell(story)


def test_a_secret_of_two_stores_stays_until_neither_is_used(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            store = made.server.get("objectstores", "local")
            other: Document = {**store, "metadata": {"name": "other", "namespace": "team"}, "status": {}}
            await made.server.put("objectstores", other)
            await made.apply("resting", operatingMode="Suspended", storage={"storeRef": {"name": "other"}})
            await made.server.until(lambda: in_use(made, "other").get("status") == "True")

            await made.server.delete("durableworkflows", "report")
            await kubelet(made)
            await made.server.until(lambda: not finalizers(made, "objectstores"))
            assert IN_USE_FINALIZER in finalizers(made, "secrets")
            await made.server.delete("durableworkflows", "resting")
            await made.server.until(lambda: not finalizers(made, "secrets"))

    tell(story)


def test_a_finalizer_that_may_not_be_set_is_told_and_no_pod_is_made(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async def fault(request: web.Request) -> web.Response | None:
            is_it = request.method == "PATCH" and request.path.endswith("/secrets/local")
            return error(403, "secrets is forbidden: cannot patch") if is_it else None

        with made.server.fault(fault):
            async with made.operator():
                await made.apply_store()
                await made.apply()
                await made.server.until(lambda: made.condition("Ready").get("reason") == "StoreNotHeld")
                await made.server.until(lambda: "cannot patch" in made.condition("Ready")["message"])
                assert made.server.names("pods") == []

    tell(story)


@pytest.mark.parametrize("writes", range(1, 6))
def test_an_operator_that_dies_while_it_lets_go_is_followed_by_one_that_goes_on(tell: Tell, writes: int) -> None:
    async def story(made: Fleet) -> None:
        died = asyncio.Event()
        seen: list[str] = []

        async def fault(request: web.Request) -> web.StreamResponse | None:
            if request.method != "PATCH" or not any(f"/{plural}/" in request.path for plural in HELD):
                return None
            seen.append(request.path)
            if len(seen) > writes:
                died.set()
                return error(503, "cut off")
            return None

        async with made.operator("first") as stop:
            await made.running()
            await made.calm()
            with made.server.fault(fault):
                await made.server.delete_namespace("durableworkflows")
                await kubelet(made)
                await made.server.until(lambda: died.is_set() or not made.server.left())
                stop.set()
        async with made.operator("second"):
            await made.server.until(lambda: not made.server.left())
        assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_a_secret_goes_with_the_last_workflow_although_its_store_was_taken_away_finalizer_and_all(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.delete("secrets", "local")
            await made.server.remove("objectstores", "local")
            await made.calm()
            assert IN_USE_FINALIZER in finalizers(made, "secrets")
            await made.server.delete("durableworkflows", "report")
            await kubelet(made)
            await made.gone()
            await made.server.until(lambda: made.server.names("secrets") == [])
        assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_a_store_that_was_taken_away_and_made_anew_with_another_secret_holds_only_that_one(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            store, old = made.server.get("objectstores", "local"), made.server.get("secrets", "local")
            await made.server.remove("objectstores", "local")
            await made.server.put("secrets", {**old, "metadata": {"name": "another", "namespace": "team"}})
            store["spec"]["credentials"]["secretRef"]["name"] = "another"
            await made.server.put(
                "objectstores", {**store, "metadata": {"name": "local", "namespace": "team"}, "status": {}}
            )
            await made.server.until(lambda: IN_USE_FINALIZER in finalizers(made, "secrets", "another"))
            await made.server.until(lambda: not finalizers(made, "secrets"))

    tell(story)
