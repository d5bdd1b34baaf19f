"""What is a program? A client's script for workflows that use a feature, and what it comes to undisturbed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lives import Client, Drive

from dormouse import Workflow


@dataclass(frozen=True)
class Program:
    """A client's script.

    Attributes:
        drive: what the client does; it may be run again from its start in a later life.
        result: what it comes to.
        draws: whether its calls have arguments by chance.
    """

    drive: Drive
    result: Any
    draws: bool = False


def just(definition: Workflow[..., Any], *value: Any) -> Drive:
    async def drive(client: Client) -> Any:
        return await client.end(await client.start(definition, *value))

    return drive
