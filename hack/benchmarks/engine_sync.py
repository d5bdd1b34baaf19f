"""How many steps a second when each one waits until it is in the store?

Both engines run beside a keeper of their own, as in a pod: it claims an epoch, its Litestream streams the file to a
real S3 server, and its barrier says when a commit is there. Dormouse asks for a barrier a group commit; DBOS knows
nothing of all that, so its workflow waits for a barrier after each step. Barriers that are asked for together are one
upload.

A step counts when the database, restored from the store by Litestream alone, has it.
"""

from __future__ import annotations

import fcntl
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from contenders import DBOS, DORMOUSE, Contender, Step, process
from engine_steps import folder, ratio
from frame import Measured

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "component"))

from keeper_pod import Workflow

from dormouse_operator.dev.seaweedfs import SeaweedFS
from stored_database import StoredDatabase

_SOCKET = Path("run") / "keeper.sock"
_LITESTREAM_LOCK = Path("run") / "litestream.lock"
_LAST_TXID = re.compile(r"-([0-9a-f]{16})\.ltx$")


class Kept:
    """A contender whose file a keeper streams to the store."""

    def __init__(self, server: SeaweedFS) -> None:
        self._server = server
        self._workflow: Workflow | None = None

    @contextmanager
    def keeper(self, volume: Path) -> Iterator[Sequence[str]]:
        """Beside the contender, on a new place in the store."""
        self._workflow = Workflow(self._server, volume)
        pod = self._workflow.pod(1, DORMOUSE_DIRECTORY=str(volume))
        with process([sys.executable, "-m", "dormouse.keeper"], volume / "keeper.log", pod.environment()):
            yield [str(volume / _SOCKET)]
        with (volume / _LITESTREAM_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # its Litestream dies with it, but not in the same moment

    def restored(self, read: Callable[[Path], set[Step]]) -> Callable[[Path], set[Step]]:
        """What the store knows."""

        def recorded(database: Path) -> set[Step]:
            assert self._workflow is not None
            workflow = self._workflow
            stored = StoredDatabase(workflow.location, workflow.layout, workflow.raw_store)
            txids = [int(found[1], 16) for key in stored.epoch_objects() if (found := _LAST_TXID.search(key))]
            copy = database.with_name("restored.sqlite")
            stored.restore(stored.current().entry.prefix, max(txids), copy)
            return read(copy)

        return recorded


def in_the_store(contender: Contender, server: SeaweedFS) -> Contender:
    """The same contender, whose steps count once the store has them."""
    assert contender.recorded is not None
    kept = Kept(server)
    return replace(contender, recorded=kept.restored(contender.recorded), seconds=3, server=kept.keeper)


def sync_steps_100_ratio(quick: bool) -> Measured:
    with folder() as place:
        server = SeaweedFS(place)
        server.start()
        try:
            theirs = replace(in_the_store(DBOS, server), name=f"{DBOS.name}, a barrier a step")
            return ratio(in_the_store(DORMOUSE, server), theirs, 100, 1 if quick else 9)
        finally:
            server.stop()
