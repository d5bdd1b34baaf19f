"""Do the dashboard and the alerts ask for what an operator and a runtime really tell? Answered by a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from keeper_pod import Workflow
from operator_fleet import Fleet, Tell, telling

from chart_rules import CHARTS
from dormouse_operator.dev.ports import free_ports
from dormouse_operator.dev.seaweedfs import SeaweedFS
from markdown_blocks import REPOSITORY

# The first time, Debian's package is fetched.
pytestmark = pytest.mark.timeout(300)

ALERTS = CHARTS / "dormouse" / "files" / "alerts.yaml"
DASHBOARD = CHARTS / "dormouse" / "files" / "dashboard.json"
TEST_OF_ALERTS = Path(__file__).with_name("alerts_test.yaml")
PROGRAM = """
from dormouse import activity, workflow


@activity
async def brew(leaf: str) -> str:
    return f"{leaf} tea"


@workflow
async def tea(leaf: str) -> str:
    return await brew(leaf)
"""


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with prometheus and promtool."""
    made = subprocess.run([REPOSITORY / "hack" / "prometheus"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


def panels() -> dict[str, str]:
    """What each panel asks for, as Grafana sends it."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']} {panel['id']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in found
        for target in panel.get("targets", ())
    }


def alerts() -> dict[str, str]:
    return {rule["alert"]: rule["expr"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}


def names_in(expression: str) -> set[str]:
    """The metrics that it names; what stands in quotes is about labels."""
    return set(re.findall(r"\b(?:dormouse|litestream|process)_\w+", re.sub(r'"[^"]*"', "", expression)))


@dataclass
class Prometheus:
    """Answers over HTTP."""

    url: str

    async def get(self, path: str, **query: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/api/v1/{path}", params=query) as answer:
            said = await answer.json()
        assert said["status"] == "success", (query, said)
        return said["data"]

    async def finds(self, expression: str) -> bool:
        return bool((await self.get("query", query=expression))["result"])


@asynccontextmanager
async def ending(process: Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def runtime(folder: Path, port: int) -> AsyncIterator[None]:
    """One that has brewed."""
    (folder / "shop.py").write_text(PROGRAM)
    dormouse = Path(sys.executable).with_name("dormouse")
    process = await asyncio.create_subprocess_exec(
        dormouse, "run", "shop.py", "--port", str(port), cwd=folder, stdout=DEVNULL, stderr=DEVNULL
    )
    async with ending(process), aiohttp.ClientSession() as session:
        while True:
            try:
                body = {"workflow": "tea", "input": "green"}
                async with session.post(f"http://127.0.0.1:{port}/v1/executions", json=body) as answer:
                    if answer.status == 201:
                        break
            except aiohttp.ClientConnectorError:
                assert process.returncode is None, "the runtime ended by itself"
            await asyncio.sleep(0.1)
        yield


@asynccontextmanager
async def keeper(workflow: Workflow, port: int) -> AsyncIterator[None]:
    """Of a second life, so that it has restored something."""
    first = await workflow.pod(1).open()
    await first.terminate()
    await first.keeper.close()
    pod = await workflow.pod(2, DORMOUSE_PORT=str(port)).open()
    try:
        await pod.keeper.barrier()
        yield
    finally:
        await pod.kill()


@asynccontextmanager
async def prometheus(programs: Path, folder: Path, targets: dict[str, int]) -> AsyncIterator[Prometheus]:
    (port,) = free_ports(1)
    scrapes = [
        {"job_name": name, "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{each}"]}]}
        for name, each in targets.items()
    ]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": scrapes,
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        programs / "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    async with ending(process):
        made = Prometheus(f"http://127.0.0.1:{port}")
        while True:
            try:
                if await made.finds(f"count(up == 1) == {len(targets)}"):
                    break
            except (aiohttp.ClientConnectorError, aiohttp.ContentTypeError):  # it reads its files first
                assert process.returncode is None, "Prometheus ended by itself"
            await asyncio.sleep(0.1)
        yield made


async def until_each_is_found(asked: Prometheus, expressions: dict[str, str]) -> None:
    missing = dict(expressions)
    try:
        async with asyncio.timeout(120):
            while missing := {name: each for name, each in missing.items() if not await asked.finds(each)}:
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"nothing was ever found for {missing}") from None


def test_every_panel_shows_something_and_every_alert_asks_for_metrics_that_there_are(
    tell: Tell, tmp_path: Path, programs: Path, seaweedfs: SeaweedFS
) -> None:
    async def story(made: Fleet) -> None:
        operating, running, keeping = free_ports(3)
        async with made.operator(metrics_port=operating), runtime(tmp_path, running):
            await made.running()
            await made.apply("lost", storage={"storeRef": {"name": "missing"}})
            await made.server.until(lambda: made.status("lost").get("phase") == "Stalled")
            targets = {"operator": operating, "workflows": running, "keepers": keeping}
            async with keeper(Workflow(seaweedfs, tmp_path), keeping), prometheus(programs, tmp_path, targets) as asked:
                await until_each_is_found(asked, panels())
                known = set(await asked.get("label/__name__/values"))
                for name, expression in {**panels(), **alerts()}.items():
                    assert names_in(expression) <= known, name
                    await asked.get("query", query=expression)
                (group,) = (await asked.get("rules"))["groups"]
                assert [rule["lastError"] for rule in group["rules"] if rule.get("lastError")] == []
                assert {rule["name"] for rule in group["rules"]} == set(alerts())

    tell(story)


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else(tmp_path: Path, programs: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(TEST_OF_ALERTS, tmp_path)
    for command in (["check", "rules", ALERTS.name], ["test", "rules", TEST_OF_ALERTS.name]):
        ran = subprocess.run(
            [programs / "promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    tests = yaml.safe_load(TEST_OF_ALERTS.read_text())["tests"]
    raised = {each["alertname"] for one in tests for each in one["alert_rule_test"] if each["exp_alerts"]}
    assert raised == set(alerts())
