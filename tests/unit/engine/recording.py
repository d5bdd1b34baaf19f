"""What may a crash leave behind? Every part of what was written, with what the client may have known by then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lives import Attempt, Life, content, live, world
from recorded_disk import SQLITE_OK, Change, after, asked_before_each_change, never_refused

from dormouse.engine.durability import SyncDurability

NAME = "db.sqlite"


@dataclass(frozen=True)
class Moment:
    """A moment at which a process may die.

    Attributes:
        files: what it leaves behind.
        life: what the next one knows.
        begun: the attempts that had begun by then.
        where: for messages.
    """

    files: dict[str, bytes]
    life: Life
    begun: tuple[Attempt, ...]
    where: str

    @property
    def digest(self) -> bytes:
        hashed = sha256()
        for name, data in sorted(self.files.items()):
            hashed.update(f"{name} {len(data)} ".encode() + data)
        return hashed.digest()

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        return folder / NAME


@dataclass
class Recording:
    """One life, as the disk, the client and the world saw it.

    Attributes:
        before: the files that it found.
        changes: what it wrote.
        known: what the client knew, and which attempts had begun, before each change and at the end.
    """

    before: dict[str, bytes]
    changes: list[Change] = field(default_factory=list)
    known: list[tuple[Life, tuple[Attempt, ...]]] = field(default_factory=list)
    result: Any = None

    def moments(self, *, power_lost: bool) -> Iterator[Moment]:
        """Before the first change, between any two, and after the last; as much known as can be, and as little."""
        for count in range(len(self.changes) + 1):
            files = after(self.changes[:count], before=self.before, power_lost=power_lost)
            where = f"{'power lost' if power_lost else 'killed'} after {count} of {len(self.changes)} changes"
            knew_least, (knows, begun) = self.known[max(0, count - 1)][0], self.known[count]
            yield Moment(files, knows, begun, where)
            if knew_least.acknowledged.keys() != knows.acknowledged.keys():
                yield Moment(files, replace(knew_least, now=knows.now), begun, f"{where}, answers lost")


def record(path: Path, workflows: Any, drive: Any, life: Life) -> Recording:
    """Live it, and write down what happens to its files."""
    recording = Recording({file.name: file.read_bytes() for file in path.parent.iterdir()})

    def note() -> None:
        recording.known.append((life.copy(), tuple(world.attempts)))

    def asked(change: Change) -> int:
        note()
        recording.changes.append(change)
        return SQLITE_OK

    with asked_before_each_change(path.parent, asked):
        recording.result = live(path, workflows, drive, life)
    note()
    return recording


class Replica:
    """A store that answers a barrier when it has a copy of the file: all that is left when the disk is lost."""

    def __init__(self, path: Path, life: Life) -> None:
        self.moments: list[Moment] = []
        self._path = path
        self._life = life
        self._stored: dict[str, bytes] = {}

    async def barrier(self) -> None:
        for _ in range(3):  # the engine goes on meanwhile
            await asyncio.sleep(0)
        self._keep("before")
        names = [NAME, f"{NAME}-wal"]
        self._stored = {name: data for name in names if (data := self._read(name)) is not None}
        self._keep("after")

    def _keep(self, when: str) -> None:
        """The disk could be lost now."""
        where = f"disk lost {when} barrier {len(self.moments) // 2 + 1}"
        self.moments.append(Moment(dict(self._stored), self._life.copy(), tuple(world.attempts), where))

    def _read(self, name: str) -> bytes | None:
        file = self._path.with_name(name)
        return file.read_bytes() if file.exists() else None


def record_replicated(path: Path, workflows: Any, drive: Any, life: Life) -> tuple[Any, list[Moment]]:
    """Live it while a store has to have everything that counts."""
    replica = Replica(path, life)
    with asked_before_each_change(path.parent, never_refused):
        result = live(path, workflows, drive, life, SyncDurability(replica))
    return result, replica.moments


def different(moments: Iterator[Moment]) -> Iterator[Moment]:
    """Of those that SQLite recovers to the same content, with the same acknowledged, one. All are recovered."""
    contents: dict[bytes, bytes] = {}
    seen: set[tuple[bytes, frozenset[str]]] = set()
    with TemporaryDirectory() as folder:
        for moment in moments:
            raw = moment.digest
            if raw not in contents:
                found = content(moment.write(Path(folder) / raw.hex()))
                contents[raw] = sha256(found.encode()).digest()
            what = (contents[raw], frozenset(moment.life.acknowledged))
            if what not in seen:
                seen.add(what)
                yield moment
