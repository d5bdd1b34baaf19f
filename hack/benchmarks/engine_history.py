"""How much of the disk does an agent take that sends its whole conversation again and again?"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random

import msgspec
from frame import Baseline, Measured

from dormouse import Engine, activity, workflow

_TURNS = 100
_MESSAGE_BYTES = 2000
_LETTERS = "abcdefghijklmnopqrstuvwxyz "


class Message(msgspec.Struct, frozen=True):
    role: str
    content: str


def _message(number: int) -> Message:
    return Message("assistant", "".join(Random(number).choices(_LETTERS, k=_MESSAGE_BYTES)))


@activity
async def ask(conversation: list[Message]) -> Message:
    return _message(len(conversation))


@workflow
async def agent() -> int:
    conversation = [_message(0)]
    for _ in range(_TURNS):
        conversation.append(await ask(conversation))
    return len(conversation)


async def _converse(path: Path) -> None:
    async with Engine(path, [agent]) as engine:
        await (await engine.start(agent)).result()


def agent_history_ratio(_: bool) -> Measured:
    """Size of the closed file, its tables and indexes included, over the JSON of the conversation at its end."""
    once = len(msgspec.json.encode([_message(number) for number in range(_TURNS + 1)]))
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        path = Path(name) / "db.sqlite"
        asyncio.run(_converse(path))
        stored = path.stat().st_size
    return Measured((stored / once,), Baseline("the conversation once, bytes", once))
