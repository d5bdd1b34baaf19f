"""How does a test run the operator as a program of its own, against the small API server?"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from operator_fleet import Fleet


async def started(made: Fleet, folder: Path, *options: str) -> Process:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": made.server.url}}],
        "users": [{"name": "it", "user": {"token": "secret"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "dormouse_operator.controller", "run", "--lease-namespace", "team", *options]
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, "KUBECONFIG": str(path)}, stderr=PIPE)


async def ended(process: Process) -> str:
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return said.decode()
