"""What lies below a prefix of a store, and what of it has nobody? Pure: keys and records in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from dormouse.replica.current import Current, LineageEntry, State
from dormouse.replica.layout import Layout, first_transaction

_KEY = re.compile(r"(?P<root>.*)/(?:(?P<current>CURRENT)|(?P<epoch>epochs/(?P<number>\d{8})-[^/]+)/.+)")
_OURS = re.compile(r"(?:^|/)(?:\.conditional-write-probe|\.dormouse-probe/|\.imports/)")

Kind = Literal[
    "NoCurrent",
    "CurrentMalformed",
    "EpochFromTheFuture",
    "DataMissing",
    "BaseMissing",
    "LeftByDeletion",
    "BeingDeleted",
    "Released",
    "NotInLineage",
    "Foreign",
]
NOTES: frozenset[Kind] = frozenset({"BeingDeleted", "Released", "NotInLineage"})
"""What is as it should be, or passes by itself."""


class Finding(Struct, frozen=True):
    """`where` is a prefix or a key; the message says what to do about it."""

    where: str
    kind: Kind
    objects: int
    bytes: int
    message: str


@dataclass
class Held:
    """How much lies below a prefix."""

    objects: int = 0
    bytes: int = 0
    starts: bool = False
    """Whether the first transaction is there."""

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size


@dataclass
class Root:
    """One workflow's prefix: what its epochs hold, by their prefixes."""

    has_current: bool = False
    epochs: dict[str, Held] = field(default_factory=dict)

    def held(self) -> Held:
        return _sum(self.epochs.values())


@dataclass
class Inventory:
    """Everything below a prefix, summed up as the listing goes by."""

    roots: dict[str, Root] = field(default_factory=dict)
    foreign: dict[str, Held] = field(default_factory=dict)

    def add(self, key: str, size: int) -> None:
        found = _KEY.fullmatch(key)
        if found is None:
            if not _OURS.search(key):
                self.foreign.setdefault(key, Held()).add(size)
            return
        root = self.roots.setdefault(found["root"], Root())
        if found["current"]:
            root.has_current = True
            return
        prefix = f"{found['root']}/{found['epoch']}"
        held = root.epochs.setdefault(prefix, Held())
        held.add(size)
        held.starts = held.starts or key == first_transaction(prefix)


def findings(inventory: Inventory, records: Mapping[str, Current | str | None]) -> Iterator[Finding]:
    """By root: its record, what keeps it from being read, or None when it is gone meanwhile."""
    for name, root in sorted(inventory.roots.items()):
        record = records.get(name)
        if isinstance(record, Current):
            yield from _of_record(name, root, record)
        elif isinstance(record, str):
            told = "restore that object from a versioned bucket, or give its data up with storage.allowEmptyRestore"
            yield _finding(name, "CurrentMalformed", root.held(), f"CURRENT cannot be read: {record}; {told}")
        else:
            told = "restore CURRENT if this is a workflow of yours, remove the prefix if it is not"
            yield _finding(
                name, "NoCurrent", root.held(), f"data without CURRENT, which no workflow will start on; {told}"
            )
    for key, held in sorted(inventory.foreign.items()):
        told = "not written by dormouse; give other data a prefix of its own"
        yield _finding(key, "Foreign", held, told)


def _of_record(name: str, root: Root, current: Current) -> Iterator[Finding]:
    if current.state is State.DELETING:
        told = (
            f"workflow {current.workflow_uid} is being deleted. If its cluster is gone for good, remove what is left, "
        )
        told += f"or start anew with storage.takeOverFrom: {current.workflow_uid}"
        yield _finding(name, "BeingDeleted", root.held(), told)
        return
    if current.state is State.RELEASED and not current.lineage:
        if root.epochs:
            told = (
                "uploads that came after their workflow was deleted; remove everything below epochs/, and keep CURRENT"
            )
            yield _finding(name, "LeftByDeletion", root.held(), told)
        return
    if current.state is State.RELEASED:
        told = (
            f"kept by deletionPolicy: Retain of workflow {current.workflow_uid}; adopt it with adoptionPolicy: Released"
        )
        yield _finding(name, "Released", root.held(), told)
    yield from _unnamed(root, current)
    yield from _missing(name, root, current)


def _unnamed(root: Root, current: Current) -> Iterator[Finding]:
    named = {entry.prefix for entry in current.lineage}
    for prefix, held in sorted(root.epochs.items()):
        number = int(prefix.rpartition("/epochs/")[2][:8])
        if prefix in named:
            continue
        if number > current.epoch:
            told = f"CURRENT says epoch {current.epoch}: the store lost writes, or was restored from a backup. Do not "
            yield _finding(
                prefix, "EpochFromTheFuture", held, f"{told}start the workflow before CURRENT is brought back"
            )
        else:
            told = "left by a life that counts no more; the workflow's next life removes it once retention allows"
            yield _finding(prefix, "NotInLineage", held, told)


def _missing(name: str, root: Root, current: Current) -> Iterator[Finding]:
    own, none = Layout(name).epochs, Held()
    by_prefix = {entry.prefix: entry for entry in current.lineage}
    acknowledged = [entry for entry in current.lineage if entry.replicated]
    for entry in current.lineage:
        held = root.epochs.get(entry.prefix, none)
        if entry.replicated and held.objects == 0 and entry is acknowledged[-1]:
            told = f"epoch {entry.epoch} acknowledged data, and nothing of it is there: bring it back from a versioned "
            told += f"bucket, or give it up with storage.allowEmptyRestore: {entry.epoch}"
            yield _finding(entry.prefix, "DataMissing", held, told)
        if entry.base is None or not entry.base.prefix.startswith(own) or entry.base.prefix in by_prefix:
            continue
        if not _was_pruned(entry, current.lineage):
            told = (
                f"epoch {entry.epoch} began from {entry.base.position}, which the lineage neither has nor left behind"
            )
            yield _finding(entry.base.prefix, "BaseMissing", none, f"{told}: CURRENT was altered; restore it")


def _was_pruned(entry: LineageEntry, lineage: tuple[LineageEntry, ...]) -> bool:
    """What leaves a lineage is older than all that stays, but for epochs that nothing rests on."""
    return entry.base is not None and entry.base.epoch < lineage[0].epoch


def _finding(where: str, kind: Kind, held: Held, message: str) -> Finding:
    return Finding(where, kind, held.objects, held.bytes, message)


def _sum(all_held: Iterable[Held]) -> Held:
    total = Held()
    for held in all_held:
        total.objects += held.objects
        total.bytes += held.bytes
    return total
