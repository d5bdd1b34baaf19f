"""Would this workflow come back from the store and go on with this code? Asked of the keeper, then replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.engine.definitions import Workflow
from dormouse.engine.sealing import Codec
from dormouse.keeper.client import KeeperClient
from dormouse.runtime.views import DrillView


@dataclass(frozen=True)
class Drilled:
    """What came of a drill, and when, in seconds since 1970."""

    ok: bool
    at: float


class Drill:
    """The drills of one life, one at a time."""

    def __init__(self, keeper: KeeperClient, workflows: Mapping[str, Workflow[..., Any]], codec: Codec | None) -> None:
        self._keeper = keeper
        self._workflows = workflows
        self._codec = codec
        self._under_way = asyncio.Lock()
        self.last: Drilled | None = None

    async def __call__(self) -> DrillView:
        """Restore to a file beside the live one, and run the code over all open executions in it.

        Raises:
            KeeperError: when the keeper could not do its part.
        """
        async with self._under_way:
            began = time.monotonic()
            answer = await self._keeper.drill()
            restored_seconds = time.monotonic() - began
            path = Path(answer["path"])
            try:
                count, problems = 0, list(answer["problems"])
                if not problems:
                    count, problems = await asyncio.to_thread(_replayed, path, self._workflows, self._codec)
            finally:
                path.unlink(missing_ok=True)
        self.last = Drilled(not problems, time.time())
        return DrillView(not problems, answer["position"], count, round(restored_seconds, 3), problems)


def _replayed(path: Path, workflows: Mapping[str, Workflow[..., Any]], codec: Codec | None) -> tuple[int, list[str]]:
    """How many executions are open, and which of them could not go on."""
    from dormouse.runtime.replaying import replay_open

    found = replay_open(path, workflows, codec)
    return found.open, [f"execution {one}: {why.message}" for one, why in found.blocked.items()]
