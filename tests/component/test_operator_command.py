"""Does the command find its cluster, lead, survive kill -9, and say what is missing?"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import aiohttp
import pytest
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling
from operator_process import ended, started

from dormouse_operator.dev.ports import free_ports
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def test_a_killed_operator_is_followed_by_the_next_and_a_stopped_one_gives_its_lease_back(
    tell: Tell, tmp_path: Path
) -> None:
    async def story(made: Fleet) -> None:
        first = await started(made, tmp_path)
        await made.running()
        first.send_signal(signal.SIGKILL)
        await ended(first)
        await made.server.remove("leases", "dormouse-operator")  # as if its time had run out
        await made.server.remove("pods", "report-e1")
        second = await started(made, tmp_path)
        await made.runs("report-e2")
        await made.phase("Running")
        second.send_signal(signal.SIGTERM)
        said = await ended(second)
        assert second.returncode == 0, said
        assert made.server.get("leases", "dormouse-operator")["spec"]["holderIdentity"] == ""

    tell(story)


def test_an_operator_that_runs_says_that_it_is_alive(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        (port,) = free_ports(1)
        process = await started(made, tmp_path, f"--probes-port={port}")
        await made.running()
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGKILL)
        await ended(process)

    tell(story)


def test_a_line_of_the_log_says_in_json_which_workflow_and_epoch_it_is_about(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        process = await started(made, tmp_path, "--log-format=json", "--verbose")
        await made.running()
        process.send_signal(signal.SIGTERM)
        records = [json.loads(line) for line in (await ended(process)).splitlines()]
        told = [record for record in records if record["message"] == "workflow team/report: Running"]
        assert [{name: record.get(name) for name in ("level", "namespace", "dwf", "epoch")} for record in told] == [
            {"level": "DEBUG", "namespace": "team", "dwf": "report", "epoch": 1}
        ]

    tell(story)


def test_a_port_that_is_taken_is_named(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        taken = await asyncio.start_server(lambda _reader, _writer: None, "0.0.0.0", 0)
        process = await started(made, tmp_path, f"--probes-port={taken.sockets[0].getsockname()[1]}")
        said = await ended(process)
        taken.close()
        assert process.returncode == 1
        assert "Error: --probes-port: " in said
        assert "Traceback" not in said

    tell(story)


def test_a_cluster_without_the_crds_is_told_with_what_to_install(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async def fault(request: object) -> object:
            return error(404, "page not found")

        with made.server.fault(fault):  # type: ignore[arg-type] # answers everything the same
            process = await started(made, tmp_path)
            said = await ended(process)
        assert process.returncode == 1
        assert "install the chart dormouse-crds first" in said
        assert "Traceback" not in said

    tell(story)
