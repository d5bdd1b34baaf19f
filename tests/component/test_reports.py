"""Does what a running pod has to tell get into the status? A real keeper and a real operator, whatever is between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from keeper_pod import free_port
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling
from reporting_pods import (
    BLOCKED,
    FREE,
    MESSAGE,
    POD,
    balancer,
    first_keeper,
    is_blocked,
    keeper_of,
    listening,
    planned,
    reviewed,
    say,
)
from store_proxy import StoreProxy

from dormouse.keeper.client import KeeperGone
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def test_a_blocked_execution_is_told_in_the_status_and_so_is_its_end(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())), first_keeper(made, tmp_path) as keeper:
            await say(keeper, BLOCKED)
            await made.server.until(lambda: is_blocked(made) == "True")
            assert made.condition("Blocked")["reason"] == "NonDeterministic"
            assert MESSAGE in made.condition("Blocked")["message"]
            status = made.status()
            assert (status["executions"]["blocked"], status["waitingFor"]) == (1, BLOCKED["waitingFor"])
            await say(keeper, FREE)
            await made.server.until(lambda: is_blocked(made) == "False")
            assert made.status()["waitingFor"] == FREE["waitingFor"]

    tell(story)


def test_a_report_that_meets_the_standby_is_posted_again_until_it_meets_the_leader(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        leader, standby = free_port(), free_port()
        async with (
            balancer(*[standby] * 8, leader) as port,
            made.operator("operator-a", **listening(leader, f"http://127.0.0.1:{port}")),
        ):
            pod = await planned(made)
            async with (
                made.operator("operator-b", **listening(standby, f"http://127.0.0.1:{port}")),
                keeper_of(made, pod, tmp_path) as keeper,
            ):
                await say(keeper, BLOCKED)
                await made.server.until(lambda: is_blocked(made) == "True")
                await keeper.logged("503")
                await keeper.logged("nottheleader")

    tell(story)


def test_a_report_outlasts_an_operator_that_is_down_and_replication_goes_on_meanwhile(
    tell: Tell, tmp_path: Path
) -> None:
    async def story(made: Fleet) -> None:
        options = listening(free_port())
        async with made.operator(**options):
            pod = await planned(made)
        async with keeper_of(made, pod, tmp_path) as keeper:
            await say(keeper, BLOCKED)
            await keeper.logged("the operator did not take a report")
            keeper.write("while nobody listens")
            await keeper.keeper.barrier()
            async with made.operator("operator-b", **options):
                await made.server.until(lambda: is_blocked(made) == "True")

    tell(story)


def test_a_leader_that_comes_later_keeps_what_the_status_says(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        options = listening(free_port())
        async with made.operator(**options):
            pod = await planned(made)
            async with keeper_of(made, pod, tmp_path) as keeper:
                await say(keeper, BLOCKED)
                await made.server.until(lambda: is_blocked(made) == "True")
        async with made.operator("operator-b", **options):
            await made.tell(POD, "Running", ready=True)
            await made.phase("Running")
            await made.calm()
            assert is_blocked(made) == "True"
            assert made.status()["waitingFor"] == BLOCKED["waitingFor"]

    tell(story)


def test_a_report_whose_status_cannot_be_written_is_not_taken_and_comes_again(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.controller.reports._SAVING_SECONDS", 0.1)

    async def story(made: Fleet) -> None:
        async def fault(request: web.Request) -> web.Response | None:
            return error(500, "etcd is busy") if request.path.endswith("/status") else None

        async with made.operator(**listening(free_port())), first_keeper(made, tmp_path) as keeper:
            with made.server.fault(fault):
                await say(keeper, BLOCKED)
                await keeper.logged("notsaved")
            await made.server.until(lambda: is_blocked(made) == "True")

    tell(story)


def test_a_token_that_was_rotated_is_read_anew(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())):
            pod = await planned(made)
            async with keeper_of(made, pod, tmp_path, token="expired") as keeper:
                await say(keeper, BLOCKED)
                await keeper.logged("wrongtoken")
                made.server.tokens["rotated"] = reviewed(pod)
                (tmp_path / "token").write_text("rotated\n")
                await made.server.until(lambda: is_blocked(made) == "True")

    tell(story)


def test_a_missing_token_is_told_in_the_log_and_disturbs_nothing(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())):
            pod = await planned(made)
            async with keeper_of(made, pod, tmp_path) as keeper:
                (tmp_path / "token").unlink()
                await say(keeper, BLOCKED)
                await keeper.logged("the operator did not take a report: filenotfounderror")
                keeper.write("all the same")
                await keeper.keeper.barrier()

    tell(story)


def test_a_status_that_makes_no_sense_is_refused_and_the_life_goes_on(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())), first_keeper(made, tmp_path) as keeper:
            with pytest.raises(KeeperGone, match="executions"):
                await say(keeper, {"executions": {"open": "many"}})
            await keeper.keeper.barrier()

    tell(story)


def test_a_store_that_went_away_is_told_with_why(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())), StoreProxy(made.s3_server.port).serving() as proxy:
            pod = await planned(made)
            async with keeper_of(made, pod, tmp_path, DORMOUSE_STORE_ENDPOINT=proxy.endpoint) as keeper:
                await keeper.keeper.barrier()
                await made.tell(POD, "Running", ready=True)
                await made.phase("Running")
                proxy.go_down()
                keeper.write("not in the store")
                waiting = asyncio.create_task(keeper.keeper.barrier())
                await made.tell(POD, "Running", ready=False)
                await made.server.until(lambda: made.condition("Replicating").get("reason") == "StoreUnreachable")
                assert "commits wait for the store: " in made.condition("Replicating")["message"]
                assert made.condition("Ready")["reason"] == "StoreUnreachable"
                waiting.cancel()

    tell(story)
