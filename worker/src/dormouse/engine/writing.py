"""How does a batch get into the file, and when does it count? One after the other, each committed beside the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import Any

from dormouse.engine.database import Database
from dormouse.engine.disk import DiskThread
from dormouse.engine.durability import Durability
from dormouse.engine.journal import Batch, Event
from dormouse.engine.pacing import BRIEF_SECONDS, is_brief
from dormouse.engine.tally import Tally


class Writer:
    """Writes batches, and waits until they count. Whom it calls back it calls outside of all tasks.

    Args:
        database: the file.
        durability: when a commit counts.
        tally: told how long it took.
        all_counts: whether what the file holds counts already.
        counts: told of each batch that counts, in their order.
        free: told when another batch can be written, and when more has begun to count.
        failed: told why nothing more can be written.

    Attributes:
        busy: whether a batch is on its way to the disk. Until it is there no other may be written.
        writing_seconds: how long the disk took for the last one.
    """

    def __init__(
        self,
        database: Database,
        durability: Durability,
        tally: Tally,
        *,
        all_counts: bool,
        counts: Callable[[Batch], None],
        free: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.busy = False
        self.writing_seconds = 0.0
        self._counting_seconds = 0.0
        self._database = database
        self._durability = durability
        self._tally = tally
        self._all_counts = all_counts
        self._counts = counts
        self._free = free
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._disk = DiskThread()
        self._is_allowed = False
        self._allowing: asyncio.Future[None] | None = None
        self._uncounted: deque[Batch] = deque()
        self._counting: asyncio.Future[None] | None = None
        self._counting_since = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way, and all that was written counts."""
        return not (self.busy or self._uncounted)

    @property
    def uncounted(self) -> int:
        """How many batches are written and do not count yet."""
        return len(self._uncounted)

    @property
    def seconds_until_it_counts(self) -> float:
        """How long the last batch took to the disk and, where it has to be there, to the store."""
        return self.writing_seconds + self._counting_seconds

    def may_begin(self) -> bool:
        """Whether the durability allows that what the next batch records is done in its transaction; else `free` is
        told once it does. Nobody may wait for the store inside of a transaction: Litestream may need its lock.
        """
        if self._allowing is not None:
            return False
        allowed = self._durability.before_commit()
        if allowed is not None:
            self._allowing = asyncio.ensure_future(allowed)
            self._allowing.add_done_callback(partial(self._then, self._allowed, None))
        self._is_allowed = allowed is None
        return self._is_allowed

    def _allowed(self, _: None) -> None:
        self._allowing = None
        self._free()

    def write(self, batch: Batch, *, at_once: bool, idle: bool) -> None:
        """Write a batch, as soon as the durability allows another commit.

        Args:
            batch: what is written.
            at_once: when the loop has much to do meanwhile.
            idle: when the engine has nothing to do until it is written.
        """
        self.busy = True
        if not batch.writes:
            self._loop.call_soon(self._then, self._written, batch)
            return
        self._all_counts = False
        allowed = None if self._is_allowed else self._durability.before_commit()
        self._is_allowed = False
        if allowed is None:
            self._commit(batch, at_once=at_once, idle=idle)
        else:
            asyncio.ensure_future(allowed).add_done_callback(partial(self._then, self._commit, batch))

    def wait_for_disk(self) -> None:
        """Have the loop itself wait, since nobody has anything to do before; not for a disk that takes its time."""
        if is_brief(self.writing_seconds):
            self._disk.wait(BRIEF_SECONDS)

    async def stop(self) -> None:
        """Wait for nothing any more."""
        waits = {one for one in (self._counting, self._allowing) if one is not None}
        for one in waits:
            one.cancel()
        if waits:
            await asyncio.wait(waits)
        self._disk.stop()

    def _commit(self, batch: Batch, *, at_once: bool = False, idle: bool = False) -> None:
        left = self._database.write(batch)
        self._tally.events += len(batch.events)
        commit, done = partial(self._write_to_disk, left), partial(self._committed, batch)
        if idle and is_brief(self.writing_seconds):
            self._disk.do_here(commit, done)
        else:
            self._disk.do(commit, done, at_once=at_once)

    def _committed(self, batch: Batch, error: Exception | None) -> None:
        self._then(self._written, batch) if error is None else self._fail(error)

    def _write_to_disk(self, events: Sequence[Event]) -> None:
        began = perf_counter_ns()
        self._database.commit(events)
        took = perf_counter_ns() - began
        self._tally.commits.add(took)
        self.writing_seconds = took / 1e9

    def _written(self, batch: Batch) -> None:
        """It is on the disk, unless nothing of it was to be written."""
        if batch.writes:
            self._database.check_place()
        self.busy = False
        if self._all_counts or not (batch.writes or batch.resumed or batch.recovered or self._uncounted):
            self._counts(batch)
        else:
            self._uncounted.append(batch)
            self._count_all()
        self._free()

    def _count_all(self) -> None:
        """Have all count that is written: one wait covers it."""
        while self._uncounted and self._counting is None:
            covered = len(self._uncounted)
            durable = self._durability.after_commit()
            if durable is None:
                self._have_counted(covered)
            else:
                self._counting_since = perf_counter_ns()
                self._counting = asyncio.ensure_future(durable)
                self._counting.add_done_callback(partial(self._then, self._durable, covered))

    def _durable(self, covered: int) -> None:
        self._counting = None
        took = perf_counter_ns() - self._counting_since
        self._tally.barriers.add(took)
        self._counting_seconds = took / 1e9
        self._have_counted(covered)
        self._count_all()
        self._free()

    def _have_counted(self, covered: int) -> None:
        for _ in range(covered):
            self._counts(self._uncounted.popleft())

    def _then(self, step: Callable[[Any], None], what: Any, done: asyncio.Future[None] | None = None) -> None:
        """Take the next step, now that the one before it is done. Whatever goes wrong, nothing more can be written."""
        if done is not None and done.cancelled():
            return
        try:
            if done is not None:
                done.result()
            step(what)
        except Exception as error:  # noqa: BLE001 - as it says
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.busy = False
        self._failed(error)
