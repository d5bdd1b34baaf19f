"""Does the store's client start as many threads as it is told? A pod tells it one, on a node of any size."""

from __future__ import annotations

import os
import subprocess
import sys

_PROGRAM = """
import asyncio, os
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreUnknown

async def ask():
    store = S3(Location("kept", endpoint="http://127.0.0.1:1", access_key_id="id", secret_access_key="key"))
    try:
        await store.get("key")
    except StoreUnknown:
        print(len(os.listdir("/proc/self/task")), flush=True)

asyncio.run(ask())
os._exit(0)
"""


def test_the_client_starts_as_many_threads_as_it_is_told() -> None:
    assert threads_of(1) < 20 < threads_of(20)


def threads_of(told: int) -> int:
    """All threads of a process that has asked a store."""
    environment = {**os.environ, "TOKIO_WORKER_THREADS": str(told)}
    command = [sys.executable, "-c", _PROGRAM]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return int(ran.stdout)
