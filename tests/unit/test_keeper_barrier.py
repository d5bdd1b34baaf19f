"""What does a barrier do when positions or credentials are not what they were?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dormouse.keeper import barrier
from dormouse.keeper.barrier import Barriers, Progress
from dormouse.keeper.litestream import NotSynced, Synced
from dormouse.replica.current import Current, LineageEntry, State
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import StoreDenied

MINE = Current(1, "n", "w", "i", 1, "me", State.ACTIVE, lineage=(LineageEntry(1, "p", replicated=True),))


class Uploaded:
    """Litestream, which gives these answers; the last one again and again."""

    def __init__(self, *answers: Synced | NotSynced) -> None:
        self.left = list(answers or [Synced(3, 3)])

    async def sync(self) -> Synced:
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, NotSynced):
            raise answer
        return answer


class DeniedAtFirst:
    """An ownership whose store refuses the credentials a few times."""

    current = MINE

    def __init__(self, times: int) -> None:
        self.left = times

    async def confirm(self) -> None:
        if self.left:
            self.left -= 1
            raise StoreDenied("the Secret was changed")


async def one_barrier(ownership: Any, *answers: Synced | NotSynced) -> str:
    store: Any = None
    litestream: Any = Uploaded(*answers)
    barriers = Barriers(store, ownership, litestream, "p")
    running = asyncio.create_task(barriers.run())
    waiting = asyncio.create_task(barriers.wait())
    await asyncio.wait({running, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        waiting.cancel()
        await running
    running.cancel()
    assert waiting.done(), "the barrier does not come to its end"
    return str(await waiting)


def test_credentials_that_are_refused_for_a_moment_only_delay_the_barrier() -> None:
    ownership = DeniedAtFirst(2)
    assert asyncio.run(one_barrier(ownership)) == "1/3"
    assert ownership.left == 0


def test_credentials_that_stay_refused_end_the_keeper_so_that_it_reads_the_secret_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(barrier, "_DENIED_SECONDS", 0.0)
    with pytest.raises(StoreDenied):
        asyncio.run(one_barrier(DeniedAtFirst(1_000_000)))


@pytest.mark.parametrize("synced", [Synced(6, 6), Synced(7, 8)], ids=["fell", "uploaded more than there is"])
def test_positions_that_do_not_add_up_end_the_life(synced: Synced) -> None:
    with pytest.raises(Refused) as caught:
        Progress(7).then(synced)
    assert caught.value.refusal.reason is Reason.VOLUME_UNTRUSTED
    assert Progress(7).then(Synced(8, 7)) == Progress(8)


@pytest.mark.parametrize(
    ("answers", "position"),
    [
        ([Synced(3, 2), Synced(3, 2), Synced(3, 2), Synced(3, 3)], "1/3"),
        ([Synced(3, 2), Synced(5, 3)], "1/3"),
        ([Synced(3, 2), Synced(5, 2), Synced(5, 4)], "1/3"),
        ([Synced(0, 0), Synced(0, 0), Synced(0, 0), Synced(1, 0), Synced(1, 1)], "1/1"),
        ([NotSynced("not open yet"), Synced(2, 1), NotSynced("hung up"), Synced(2, 2)], "1/2"),
    ],
    ids=["late", "later ones follow", "later ones first", "nothing yet", "no answer"],
)
def test_a_barrier_waits_until_the_position_that_it_saw_first_is_uploaded(
    answers: list[Synced | NotSynced], position: str
) -> None:
    assert asyncio.run(one_barrier(DeniedAtFirst(0), *answers)) == position
