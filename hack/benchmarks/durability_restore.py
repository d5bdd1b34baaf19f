"""What do our claim and our checks add to a restore by Litestream?"""

from __future__ import annotations

import time

from durability_lives import MB, fill, living, run
from frame import Baseline, Measured, median
from keeper_pod import Workflow

from dormouse.keeper import litestream
from dormouse.keeper.beginning import begin
from dormouse.keeper.ownership import Ownership
from dormouse.keeper.settings import parse
from dormouse.replica.current import Base
from dormouse.replica.s3 import S3

_WITHIN_SECONDS = 600.0


async def pairs(made: Workflow, size: int, rounds: int) -> tuple[list[float], list[float]]:
    """Ours and Litestream's own of the same data; each of our lives is a new one on an empty volume.

    By turns one goes first, since the other one's writes to the disk may still be under way. A first life that is not
    counted finds out what there is to restore, and fills the caches of the store and of the machine for both.
    """
    async with living(made, 1) as first:
        fill(first.database, size)
        await first.keeper.barrier()
    _, base = await _ours(made, 2)
    ours, theirs = [], []
    for epoch in range(3, 3 + rounds):
        if epoch % 2:
            theirs.append(await _alone(made, base))
        seconds, found = await _ours(made, epoch)
        assert found == base
        ours.append(seconds)
        if not epoch % 2:
            theirs.append(await _alone(made, base))
    return ours, theirs


async def _ours(made: Workflow, epoch: int) -> tuple[float, Base]:
    pod = made.pod(epoch)
    pod.volume.mkdir(parents=True)
    settings = parse(pod.environment())
    store = S3(settings.location)
    ownership = Ownership(store, settings.layout.current)
    started = time.perf_counter()
    begun = await begin(settings, store, ownership)
    seconds = time.perf_counter() - started
    pod.lose_volume()
    assert begun.restored_from is not None
    return seconds, begun.restored_from


async def _alone(made: Workflow, base: Base) -> float:
    folder = made.folder / "alone"
    folder.mkdir(parents=True)
    target = folder / "db.sqlite"
    started = time.perf_counter()
    problem = await litestream.restore(made.location, base.prefix, base.txid, target, folder, _WITHIN_SECONDS)
    seconds = time.perf_counter() - started
    assert problem is None, problem
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()
    return seconds


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
