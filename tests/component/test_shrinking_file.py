"""Does the store keep up with a file from which much is deleted, and which shrinks? Real keeper, real Litestream."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from keeper_pod import KeeperPod, Workflow, run

from dormouse import Engine, Retention, activity, transaction, workflow
from dormouse.encryption import AesGcm
from dormouse.engine.durability import SyncDurability
from dormouse.engine.removal import may_shrink
from dormouse_operator.dev.seaweedfs import SeaweedFS

KEYS = {"one": b"k" * 32}


@activity
async def measure(text: str) -> int:
    return len(text)


@transaction
def count(tables: sqlite3.Connection) -> int:
    tables.execute("CREATE TABLE IF NOT EXISTS counted (a)")
    tables.execute("INSERT INTO counted VALUES (1)")
    (number,) = tables.execute("SELECT count(*) FROM counted").fetchone()
    return int(number)


@workflow
async def carry(text: str) -> int:
    await measure(text)
    return await count()


def engine_in(pod: KeeperPod, retention: Retention | None = None) -> Engine:
    durability = SyncDurability(pod.keeper)
    return Engine(pod.database, [carry], durability=durability, retention=retention, codec=AesGcm(KEYS))


@pytest.fixture
def sleeper(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


def test_what_is_left_is_restored_whole_and_small(sleeper: Workflow) -> None:
    async def story(sleeper: Workflow) -> None:
        first = await sleeper.pod(1).open()
        async with engine_in(first) as engine:
            for number in range(12):
                text = Random(number).randbytes(200_000).hex()
                assert await (await engine.start(carry, text, id=str(number))).result() == number + 1
        async with engine_in(first, Retention(count=1)) as engine:
            async with asyncio.timeout(60):
                while engine.read.recorded("10") is not None or is_leaving(first.database):
                    await asyncio.sleep(0.05)
        position = await first.keeper.seal("Stopped")
        await first.keeper.close()
        assert await first.terminate() == 0

        second = await sleeper.pod(2).open()
        assert (await second.keeper.gate()).restored_from == position
        assert second.database.stat().st_size < 2_000_000  # there were 5 MB of it
        async with engine_in(second) as engine:
            assert await engine.result("11") == 12
            assert [row.id for row in engine.read.describe_newest(9)] == ["11"]
            assert await (await engine.start(carry, "more", id="more")).result() == 13

    run(story, sleeper)


def is_leaving(database: Path) -> bool:
    """Whether something deleted is still there, or room that it took."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
        return may_shrink(reader) or reader.execute("SELECT 1 FROM dormouse_run").fetchone() is not None
