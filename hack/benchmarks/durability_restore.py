"""What do our claim and our checks add to a restore by Litestream?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from durability_lives import MB, fill, living, run
from frame import Baseline, Measured, median
from keeper_pod import Workflow

from dormouse.keeper import beginning, litestream
from dormouse.keeper.beginning import begin
from dormouse.keeper.ownership import Ownership
from dormouse.keeper.settings import parse
from dormouse.keeper.steps import Steps
from dormouse.replica.s3 import S3


async def pairs(made: Workflow, size: int, rounds: int) -> tuple[list[float], list[float]]:
    """Ours, and Litestream's own within it, of the same data; each life is a new one on an empty volume.

    Both are of the same moment: two restores one after the other differ by a factor of four where others use the disk.
    A first life that is not counted fills the caches of the store and of the machine.
    """
    async with living(made, 1) as first:
        fill(first.database, size)
        await first.keeper.barrier()
    ours, theirs = [], []
    for epoch in range(2, 3 + rounds):
        pod = made.pod(epoch)
        pod.volume.mkdir(parents=True)
        settings = parse(pod.environment())
        store = S3(settings.location)
        ownership = Ownership(store, settings.layout.current)
        with _restores_timed() as seconds:
            started = time.perf_counter()
            begun = await begin(settings, store, ownership, Steps())
            ours.append(time.perf_counter() - started)
        pod.lose_volume()
        assert begun.restored_from is not None
        theirs.append(sum(seconds))
    return ours[1:], theirs[1:]


@contextmanager
def _restores_timed() -> Iterator[list[float]]:
    """How long each run of `litestream restore` took that a life has begun with, from its start to its exit code."""
    taken: list[float] = []

    async def timed(*arguments: Any) -> str | None:
        started = time.perf_counter()
        try:
            return await litestream.restore(*arguments)
        finally:
            taken.append(time.perf_counter() - started)

    with patch.object(beginning, "restore", timed):
        yield taken


def restore_1_extra_ms(quick: bool) -> Measured:
    ours, theirs = run(lambda made: pairs(made, MB, 3 if quick else 11))
    extra = tuple((one - other) * 1000 for one, other in zip(ours, theirs, strict=True))
    return Measured(extra, Baseline("litestream restore, ms", median(theirs) * 1000))


def restore_50_ratio(quick: bool) -> Measured:
    return _ratio(50, 1 if quick else 7)


def restore_500_ratio(quick: bool) -> Measured:
    return _ratio(500, 1 if quick else 3)


def _ratio(megabytes: int, rounds: int) -> Measured:
    ours, theirs = run(lambda made: pairs(made, megabytes * MB, rounds))
    ratios = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return Measured(ratios, Baseline("litestream restore, seconds", median(theirs)))
