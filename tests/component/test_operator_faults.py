"""Does the operator keep its promises when the API server, its watches or the operator itself fail?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

WRITES = ("POST", "PATCH", "DELETE", "PUT")


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def is_write(request: web.Request) -> bool:
    return request.method in WRITES and "leases" not in request.path


async def is_listed(made: Fleet) -> None:
    """What the operator lists of its own at its start is behind it: from now on only watches tell.

    It lists twice, and kopf lists and watches.
    """
    await made.server.until(lambda: made.server.requests.count("GET /api/v1/pods") >= 4)
    await made.calm()


def test_a_status_that_somebody_else_changed_first_is_planned_again(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        refused: list[str] = []

        async def fault(request: web.Request) -> web.Response | None:
            if request.method == "PATCH" and "durableworkflows" in request.path and len(refused) < 2:
                refused.append(request.path)
                return error(409, "the object has been modified")
            return None

        with made.server.fault(fault):
            async with made.operator():
                await made.running()
        assert len(refused) == 2
        assert made.live_pods() == ["report-e1"]

    tell(story)


def test_a_pod_that_vanished_while_the_watches_were_away_is_replaced(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.3):
            await made.running()
            # Both at once: the watch starts with a new list, which does not tell what is missing.
            await asyncio.gather(made.server.forget_history(), made.server.remove("pods", "report-e1"))
            await made.runs("report-e2")
            await made.phase("Running")

    tell(story)


def test_the_last_pod_that_vanished_before_watches_were_told_410_is_missed_at_once(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=1000.0):
            await made.running()
            await is_listed(made)
            await asyncio.gather(made.server.forget_history(), made.server.remove("pods", "report-e1"))
            await made.runs("report-e2")

    tell(story)


def test_a_change_during_an_outage_of_the_api_server_is_noticed_after_it(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        is_down = True

        async def fault(request: web.Request) -> web.Response | None:
            return error(503, "etcd has no leader") if is_down and "leases" not in request.path else None

        async with made.operator(relist_seconds=0.3):
            await made.running()
            with made.server.fault(fault):
                await made.server.break_watches()
                await made.apply(source={"inline": "print('changed')\n"})
                await made.server.asked("503")
                is_down = False
                await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])

    tell(story)


@pytest.mark.parametrize("lost", ["status", "pods", "configmaps"])
def test_a_lost_answer_never_makes_two_pods(tell: Tell, lost: str) -> None:
    async def story(made: Fleet) -> None:
        answers: list[str] = []

        async def fault(request: web.Request) -> web.StreamResponse | None:
            is_it = is_write(request) and request.path.endswith(lost) and "objectstores" not in request.path
            if not is_it or answers:
                return None
            answers.append(request.path)
            answer = await made.server.answer(request)
            assert request.transport is not None
            request.transport.abort()
            return answer

        with made.server.fault(fault):
            async with made.operator():
                await made.apply_store()
                await made.apply()
                await made.server.until(lambda: len(answers) == 1 and bool(made.live_pods()))
                (pod,) = made.live_pods()
                await made.runs(pod)
                await made.phase("Running")
        assert made.live_pods() == [pod]

    tell(story)


@pytest.mark.parametrize("writes", range(1, 9))
def test_an_operator_that_dies_after_any_write_is_followed_by_one_that_goes_on(tell: Tell, writes: int) -> None:
    async def story(made: Fleet) -> None:
        seen: list[str] = []
        died = asyncio.Event()

        async def fault(request: web.Request) -> web.StreamResponse | None:
            if not is_write(request) or died.is_set():
                return error(503, "cut off") if died.is_set() else None
            seen.append(request.path)
            if len(seen) < writes:
                return None
            answer = await made.server.answer(request)
            died.set()
            return answer

        await made.apply_store()
        await made.apply()
        with made.server.fault(fault):
            async with made.operator("first"):
                await asyncio.wait_for(died.wait(), 60)
        await made.server.remove("leases", "dormouse-operator")  # as if its time had run out
        async with made.operator("second"):
            await made.server.until(lambda: bool(made.live_pods()))
            await made.runs(made.live_pods()[-1])
            await made.phase("Running")
        assert len(made.live_pods()) == 1

    tell(story)


def test_two_operators_that_both_believe_to_lead_come_to_one_pod_of_the_newest_epoch(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first", lease="one"), made.operator("second", lease="other"):
            await made.apply_store()
            await made.apply()
            for life in range(5):
                if life:
                    await made.server.remove("pods", made.live_pods()[-1])
                await made.server.until(lambda: bool(made.live_pods()))
                await made.calm()
                newest = f"report-e{made.status()['epoch']}"
                await made.runs(newest)
                await made.phase("Running")
                # A pod that is told to end obeys.
                await made.obey_deletions()
                assert made.live_pods() == [newest]

    tell(story)


def test_an_operator_that_was_restarted_writes_nothing_where_nothing_changed(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
            await made.calm()
        written: list[str] = []

        async def fault(request: web.Request) -> web.Response | None:
            if is_write(request):
                written.append(f"{request.method} {request.path}")
            return None

        with made.server.fault(fault):
            async with made.operator("second", relist_seconds=0.3):
                await made.server.until(lambda: holder(made) == "second")
                await made.server.lists(3)
                await made.calm()
        assert written == []

    tell(story)


def test_a_standby_goes_on_at_once_when_the_leader_ends_well(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first") as stop:
            await made.running()
            async with made.operator("second"):
                assert holder(made) == "first"
                stop.set()
                await made.server.until(lambda: holder(made) == "second")
                await made.server.remove("pods", "report-e1")
                await made.runs("report-e2")
                await made.phase("Running")

    tell(story)


def test_a_leader_that_cannot_renew_stops_before_the_standby_starts(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first") as stop:
            await made.running()

            async def fault(request: web.Request) -> web.Response | None:
                if request.method == "PUT" and "leases" in request.path:
                    body = await request.json()
                    if body["spec"]["holderIdentity"] in ("first", ""):
                        return error(503, "cut off")
                return None

            with made.server.fault(fault):
                async with made.operator("second"):
                    await made.server.until(lambda: holder(made) == "second")
                    await made.server.remove("pods", "report-e1")
                    await made.runs("report-e2")
                    await made.phase("Running")
                    stop.set()
            assert made.live_pods() == ["report-e2"]

    tell(story)


def holder(made: Fleet) -> Any:
    return made.server.get("leases", "dormouse-operator")["spec"]["holderIdentity"]


def test_a_watch_outlives_an_outage_however_long_it_is(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse_operator.controller.watching._PAUSES_SECONDS", (0.01, 0.01))
    monkeypatch.setattr("dormouse_operator.controller.watching._LONGEST_PAUSE_SECONDS", 0.01)

    async def story(made: Fleet) -> None:
        refused: list[str] = []

        async def fault(request: web.Request) -> web.Response | None:
            if request.method == "GET" and request.path.endswith("/pods") and len(refused) < 30:
                refused.append(request.path)
                return error(503, "etcd has no leader")
            return None

        async with made.operator(relist_seconds=1000.0):
            await made.running()
            await is_listed(made)
            with made.server.fault(fault):
                await made.server.break_watches()
                await made.server.until(lambda: len(refused) == 30)
                await made.server.lists(1)
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")

    tell(story)


def test_a_served_namespace_that_was_deleted_with_its_role_keeps_no_other_from_being_served(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async def fault(request: web.Request) -> web.Response | None:
            return error(403, "forbidden") if "/namespaces/gone/" in request.path else None

        with made.server.fault(fault):
            async with made.operator(namespaces=("gone", "team"), relist_seconds=0.3):
                await made.running()
                await asyncio.gather(made.server.forget_history(), made.server.remove("pods", "report-e1"))
                await made.runs("report-e2")

    tell(story)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch is tried again at once."""
    monkeypatch.setattr("dormouse_operator.controller.watching._PAUSES_SECONDS", (0.01,))


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[ClientSession]:
    """All that were opened."""
    opened: list[ClientSession] = []
    originally = ClientSession.__init__

    def init(self: ClientSession, *args: Any, **options: Any) -> None:
        originally(self, *args, **options)
        opened.append(self)

    monkeypatch.setattr(ClientSession, "__init__", init)
    return opened


@pytest.mark.parametrize("status", [401, 404])
def test_a_watch_that_is_refused_goes_on_afterwards_and_leaves_no_connections_open(
    tell: Tell, hasty: None, sessions: list[ClientSession], status: int
) -> None:
    async def story(made: Fleet) -> None:
        refused: list[str] = []

        async def fault(request: web.Request) -> web.Response | None:
            if request.query.get("watch") == "true" and request.path.endswith("/pods") and not refused:
                refused.append(request.path)
                # kopf ends for this one; the other two outlive its own closing of connections.
                await made.server.stand(2)
                return error(status, "not now")
            return None

        async with made.operator(relist_seconds=1000.0):
            await made.running()
            await is_listed(made)
            with made.server.fault(fault):
                await made.server.break_watches()
                await made.server.until(lambda: bool(refused))
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")

    tell(story)
    assert len(sessions) > 2
    assert all(each.closed for each in sessions)


def test_watches_that_are_told_an_error_are_begun_anew(tell: Tell, hasty: None) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=1000.0):
            await made.running()
            await is_listed(made)
            await made.server.tell_watches({"kind": "Status", "code": 500, "reason": "InternalError"})
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")

    tell(story)
