"""A workflow whose every step can be told from outside: each attempt leaves an object that names all of it.

The key of an attempt is `<prefix>/<step>-<ns since 1970>-<epoch>-<token it was given>-<token it gives>`. A step that
starts was given the token of the step before, so its attempt shows that the one before was acknowledged, and with
which result.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from datetime import timedelta

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from dormouse import RetryPolicy, activity, workflow

# Half of what one payload may have.
BALLAST_PIECE = 8 << 20


class Chain(msgspec.Struct):
    """What to do: so many steps, each taking so long, attempts below this prefix.

    Before the step `hungry_at` an activity takes more and more memory, the first time that it runs.
    """

    steps: int
    step_seconds: float
    prefix: str
    ballast_bytes: int = 0
    hungry_at: int = -1


def store() -> S3Store:
    return S3Store(
        os.environ["STORE_BUCKET"],
        endpoint=os.environ["STORE_ENDPOINT"],
        region="us-east-1",
        access_key_id=os.environ["STORE_ACCESS_KEY_ID"],
        secret_access_key=os.environ["STORE_SECRET_ACCESS_KEY"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "5s"},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=5)},
    )


@activity(retry=RetryPolicy(initial_seconds=0.1, maximum_seconds=1))
async def link(step: int, previous: str, prefix: str, seconds: float) -> str:
    token = secrets.token_hex(6)
    epoch = os.environ["DORMOUSE_EPOCH"]
    key = f"{prefix}/{step:05d}-{time.time_ns()}-{epoch}-{previous}-{token}"
    await obstore.put_async(store(), key, b"")
    await asyncio.sleep(seconds)
    return token


@activity
async def ballast(size: int) -> str:
    return secrets.token_hex(size // 2)


@activity
async def eat(prefix: str) -> str:
    try:
        await obstore.put_async(store(), f"{prefix}.eaten", b"", mode="create")
    except AlreadyExistsError:
        return "eaten before"
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1 << 20)))
        await asyncio.sleep(0)


@workflow
async def chain(order: Chain) -> list[str]:
    for start in range(0, order.ballast_bytes, BALLAST_PIECE):
        await ballast(min(BALLAST_PIECE, order.ballast_bytes - start))
    tokens = ["start"]
    for step in range(order.steps):
        if step == order.hungry_at:
            await eat(order.prefix)
        tokens.append(await link(step, tokens[-1], order.prefix, order.step_seconds))
        if step % 7 == 6:
            await asyncio.sleep(0.01)
    return tokens[1:]
