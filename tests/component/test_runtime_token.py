"""Does a runtime that was given tokens answer nobody else, over the wire?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from runtime_pod import RuntimePod

from dormouse._commands import root
from dormouse.client import AsyncClient, Client, Refused
from dormouse.runtime.routes import ROUTES

TOKEN = "a-token-that-nobody-guesses"
MODULE = """
from dormouse import workflow

@workflow
async def greet(name: str) -> str:
    return f"hello {name}"
"""


def with_pod(folder: Path, scenario: Callable[[RuntimePod, str], Awaitable[None]]) -> None:
    (folder / "token").write_text(TOKEN)

    async def live() -> None:
        async with RuntimePod(folder, MODULE, DORMOUSE_API_TOKEN_FILE=str(folder / "token")) as pod:
            await pod.start()
            await pod.ready()
            await scenario(pod, f"http://127.0.0.1:{pod.port}")

    asyncio.run(live())


def test_every_path_but_the_probes_asks_for_the_token(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod, _: str) -> None:
        for route in ROUTES:
            path = route.path.replace("{execution}", "one").replace("{name}", "two")
            status, head, body = await pod.raw(route.method, path)
            assert (path, status) == (path, 200 if path in ("/healthz", "/readyz") else 401)
            if status == 401:
                assert json.loads(body)["error"]["reason"] == "Unauthorized"
                assert "www-authenticate: Bearer" in head
        assert (await pod.get("/nothing"))[0] == 401
        assert (await pod.get("/v1/executions"))[0] == 401
        assert (await pod.raw("GET", "/v1/executions", Authorization=f"Bearer {TOKEN}"))[0] == 200

    with_pod(tmp_path, scenario)


def test_both_clients_show_the_token(tmp_path: Path) -> None:
    def wait(url: str) -> str:
        with Client(url, token=TOKEN) as client:
            result: str = client.start("greet", "ada", id="one").result()
        with Client(url) as client, pytest.raises(Refused) as refused:
            client.handle("one").show()
        assert (refused.value.status, refused.value.reason) == (401, "Unauthorized")
        return result

    async def scenario(_: RuntimePod, url: str) -> None:
        assert await asyncio.to_thread(wait, url) == "hello ada"
        async with AsyncClient(url, token=TOKEN) as client:
            assert await client.handle("one").result() == "hello ada"

    with_pod(tmp_path, scenario)


def test_the_command_line_takes_the_token_from_a_file_or_the_environment(tmp_path: Path) -> None:
    def ask(url: str) -> None:
        runner, file = CliRunner(), str(tmp_path / "token")
        (tmp_path / "other").write_text("another-token-than-that")
        assert runner.invoke(root, ["start", url, "greet", '"ada"', "--id", "one", "--token-file", file]).exit_code == 0
        assert runner.invoke(root, ["list", url], env={"DORMOUSE_TOKEN": TOKEN}).exit_code == 0
        for refused in (["list", url], ["list", url, "--token-file", str(tmp_path / "other")]):
            ended = runner.invoke(root, refused)
            assert ended.exit_code == 1
            assert "DORMOUSE_TOKEN" in ended.output

    async def scenario(_: RuntimePod, url: str) -> None:
        await asyncio.to_thread(ask, url)

    with_pod(tmp_path, scenario)


def test_a_pod_whose_tokens_cannot_be_read_says_so_and_serves_nobody(tmp_path: Path) -> None:
    async def live() -> None:
        async with RuntimePod(tmp_path, MODULE, DORMOUSE_API_TOKEN_FILE=str(tmp_path / "missing")) as pod:
            await pod.start()
            code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "InvalidSettings")
        assert "DORMOUSE_API_TOKEN_FILE: the token file" in farewell["message"]

    asyncio.run(live())
