"""Does the bench of durability measure what it says: what a restore takes of which, and all that goes over the wire?"""

from __future__ import annotations

import asyncio
from pathlib import Path

from durability_lives import fill, living, seen_by_proxy
from durability_restore import pairs
from keeper_pod import Workflow

from dormouse_operator.dev.seaweedfs import SeaweedFS


def test_litestreams_own_part_of_each_restore_is_timed_within_it(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    ours, theirs = asyncio.run(pairs(Workflow(seaweedfs, tmp_path), 100_000, 2))
    assert (len(ours), len(theirs)) == (2, 2)
    assert all(0 < own < whole for own, whole in zip(theirs, ours, strict=True))


def test_the_proxy_counts_every_byte_of_a_database_that_does_not_compress(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    async def story() -> int:
        made = Workflow(seaweedfs, tmp_path)
        async with seen_by_proxy(made) as (proxy, through), living(made, 1, **through) as pod:
            fill(pod.database, 500_000)
            await pod.keeper.barrier()
            return proxy.uploaded

    assert asyncio.run(story()) > 500_000
