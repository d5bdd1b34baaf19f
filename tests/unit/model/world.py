"""Of what is a state of the model made? A store, pods, an operator, and what is still under way in the network."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from dormouse.replica.claim import Malformed, Prefix
from dormouse.replica.current import Base, Current

Rows = tuple[str, ...]
"""The content of a database: what was committed, in its order."""


class Files(NamedTuple):
    """What a prefix holds: the rows as of each transaction that was uploaded, and its number."""

    prefix: str
    transactions: tuple[tuple[int, Rows], ...]


class Disk(NamedTuple):
    """A database with its marker. Transaction 1 is a snapshot of the rows there were when Litestream first looked."""

    rows: Rows
    snapshot: int | None = None
    other_boot: bool = False
    restored: int | None = None
    """How many of the rows came from an earlier epoch; None when it began with nothing."""

    @property
    def txid(self) -> int:
        return 0 if self.snapshot is None else len(self.rows) - self.snapshot + 1

    def at(self, txid: int) -> Rows:
        assert self.snapshot is not None
        return self.rows[: self.snapshot + txid - 1]


class Sending(NamedTuple):
    """A conditional write of CURRENT: the condition is the record that it replaces."""

    record: Current
    condition: Current | None
    purpose: str


class LateFile(NamedTuple):
    """An upload that was given up and may still arrive."""

    prefix: str
    txid: int
    rows: Rows


class Phase(StrEnum):
    """Where a keeper stands."""

    START = "start"
    LIST = "list"
    DECIDE = "decide"
    SEND = "send"
    SETTLE = "settle"
    PIN = "pin"
    RESTORE = "restore"
    CONFIRM = "confirm"
    OPEN = "open"
    SEALING = "sealing"
    OVER = "over"
    GONE = "gone"


class Pod(NamedTuple):
    """One claimant. Everything after `disk` is memory, which a restart forgets."""

    name: str
    workflow: str
    epoch: int
    first_claim: bool
    run: int = 0
    disk: Disk | None = None
    phase: Phase = Phase.START
    seen: Current | Malformed | None = None
    below: Prefix | None = None
    mine: Current | None = None
    known: tuple[tuple[int, int], ...] = ()
    sending: Sending | None = None
    uploaded: int = 0
    target: int = 0
    is_uploaded: bool = False
    confirmed: bool = False
    refused_at: int = 0

    @property
    def plain_prefix(self) -> str:
        return f"w/epochs/{self.epoch:08d}-{self.name}"

    @property
    def prefix(self) -> str:
        """Where its Litestream writes."""
        assert self.mine is not None
        return self.mine.entry.prefix

    @property
    def replicates(self) -> bool:
        """Whether its Litestream runs."""
        return self.disk is not None and (
            self.phase in (Phase.CONFIRM, Phase.OPEN)
            or (self.phase in (Phase.SEND, Phase.SETTLE) and self.purpose in ("replicated", "prune"))
        )

    @property
    def purpose(self) -> str:
        return self.sending.purpose if self.sending is not None else ""


class Fork(NamedTuple):
    """Another workflow that begins with what this one was. `wanted`: its rows have to have these at least."""

    phase: str = "start"
    source: Current | None = None
    known: tuple[tuple[str, tuple[int, ...]], ...] = ()
    base: Base | None = None
    wanted: frozenset[str] = frozenset()
    rows: Rows | None = None


class World(NamedTuple):
    """Everything. `acknowledged` is what somebody was promised, `broken` what a step did that none may do.

    `ends` is what each life began from: where the one before it ended for all history.

    The first workflow, A, has `left` when its object is gone, and is `released` once CURRENT says so: a pod of it that
    never claimed and is cut off may still claim what nobody else has.
    """

    current: Current | None = None
    files: tuple[Files, ...] = ()
    late: tuple[Sending | LateFile, ...] = ()
    pods: tuple[Pod, ...] = ()
    asked_for: tuple[tuple[str, int], ...] = ()
    claimed: frozenset[str] = frozenset()
    left: bool = False
    released: bool = False
    lost_data: bool = False
    acknowledged: frozenset[str] = frozenset()
    broken: str = ""
    crashes: int = 0
    delays: int = 0
    ends: frozenset[Rows] = frozenset()
    fork: Fork | None = None

    def prefix(self, prefix: str) -> tuple[tuple[int, Rows], ...]:
        return next((files.transactions for files in self.files if files.prefix == prefix), ())

    def newest(self, prefix: str) -> int:
        return max((txid for txid, _ in self.prefix(prefix)), default=0)

    def with_file(self, prefix: str, txid: int, rows: Rows) -> World:
        held = dict(self.prefix(prefix)) | {txid: rows}
        return self.with_files(prefix, tuple(sorted(held.items())))

    def with_files(self, prefix: str, transactions: tuple[tuple[int, Rows], ...]) -> World:
        others = tuple(files for files in self.files if files.prefix != prefix)
        mine = (Files(prefix, transactions),) if transactions else ()
        return self._replace(files=tuple(sorted((*others, *mine))))

    def restored(self, prefix: str, txid: int) -> Rows | str:
        """What a restore brings, or why it cannot: a gap, or files that do not follow from each other."""
        held = dict(self.prefix(prefix))
        before: Rows | None = None
        for number in range(1, txid + 1):
            if number not in held:
                return f"{prefix} lacks transaction {number} of {txid}"
            rows = held[number]
            if before is not None and rows[:-1] != before:
                return f"transaction {number} of {prefix} does not follow from the one before"
            before = rows
        return before if before is not None else f"{prefix} holds nothing"

    def with_pod(self, pod: Pod) -> World:
        return self._replace(pods=tuple(pod if each.name == pod.name else each for each in self.pods))
