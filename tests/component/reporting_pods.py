"""What does a test of reports need? An operator that listens, a token that the API server knows, and a real keeper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

from keeper_pod import KeeperPod, Workflow
from operator_api_documents import Document
from operator_fleet import Fleet

POD = "report-e1"
TOKEN = "token-of-report-e1"
MESSAGE = "the log says fetch (pipeline.py:3), the code asks for store (pipeline.py:4)"
BLOCKED: dict[str, Any] = {
    "executions": {"open": 1, "blocked": 1},
    "blocked": [{"execution": "main", "reason": "NonDeterministic", "message": MESSAGE}],
    "waitingFor": "main is blocked: NonDeterministic",
}
FREE: dict[str, Any] = {"executions": {"open": 1, "sleeping": 1}, "waitingFor": "main sleeps until noon"}


def listening(port: int, url: str = "") -> dict[str, Any]:
    """Options of an operator that takes reports on this port; pods are told the URL."""
    return {"reports_port": port, "reports_host": "127.0.0.1", "reports_url": url or f"http://127.0.0.1:{port}"}


def reviewed(pod: Document, **changes: Any) -> Document:
    """What the API server says of a token that a kubelet got for this pod."""
    metadata = pod["metadata"]
    extra = {
        "authentication.kubernetes.io/pod-name": [metadata["name"]],
        "authentication.kubernetes.io/pod-uid": [metadata["uid"]],
    }
    user = {"username": f"system:serviceaccount:{metadata['namespace']}:default", "extra": extra}
    return {"authenticated": True, "audiences": ["dormouse.dev"], "user": user, **changes}


async def planned(made: Fleet) -> Document:
    """The first pod, as the operator asked for it, with a token that the API server knows."""
    await made.apply_store()
    await made.apply()
    await made.server.until(lambda: POD in made.server.names("pods"))
    pod = made.server.get("pods", POD)
    made.server.tokens[TOKEN] = reviewed(pod)
    return pod


@asynccontextmanager
async def keeper_of(
    made: Fleet, pod: Document, folder: Path, token: str = TOKEN, **more: str
) -> AsyncIterator[KeeperPod]:
    """The real keeper of this pod, with its gate open."""
    (container,) = pod["spec"]["initContainers"]
    told = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    (folder / "token").write_text(token)
    ours = ("DORMOUSE_NAME", "DORMOUSE_NAMESPACE", "DORMOUSE_WORKFLOW_UID", "DORMOUSE_OPERATOR_URL")
    variables = {name: told[name] for name in ours} | {"DORMOUSE_TOKEN_FILE": str(folder / "token")}
    keeper = Workflow(made.s3_server, folder, prefix=made.prefix).pod(1, **variables, **more)
    keeper.uid = pod["metadata"]["uid"]
    try:
        yield await keeper.open()
    finally:
        await keeper.kill()


@asynccontextmanager
async def first_keeper(made: Fleet, folder: Path) -> AsyncIterator[KeeperPod]:
    """The keeper of the first pod that the operator plans."""
    async with keeper_of(made, await planned(made), folder) as keeper:
        yield keeper


async def say(keeper: KeeperPod, status: dict[str, Any]) -> None:
    """What a runtime does."""
    await keeper.keeper.tell_status(status)


def is_blocked(made: Fleet) -> str:
    return str(made.condition("Blocked").get("status"))


@asynccontextmanager
async def balancer(*ports: int) -> AsyncIterator[int]:
    """A port whose connections go to these in turn, as those of a Service do."""
    turns = cycle(ports)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", next(turns))
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
    finally:
        writer.close()
