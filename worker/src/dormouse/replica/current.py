"""What does CURRENT say? The one object that decides which life of a workflow may write.

Design: docs/design.md, "Epochs". The record is immutable; every write is a new record with the next
revision and a fresh nonce, because an ETag is the MD5 of the bytes and equal bytes would give it back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

FORMAT = 1
T = TypeVar("T")


class CurrentMalformed(ValueError):
    """CURRENT exists and cannot be understood; nothing may be concluded from it."""


class State(StrEnum):
    """Where a workflow's data stands."""

    ACTIVE = "Active"
    SEALED = "Sealed"
    DELETING = "Deleting"
    RELEASED = "Released"


class SealReason(StrEnum):
    """Why a life ended well."""

    HIBERNATED = "Hibernated"
    COMPLETED = "Completed"
    STOPPED = "Stopped"


@dataclass(frozen=True, order=True)
class Position:
    """A point in history. Transaction numbers start again at 1 in each epoch, so neither part stands alone."""

    epoch: int
    txid: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.txid}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `epoch/txid`; raises ValueError on anything else."""
        found = re.fullmatch(r"([1-9]\d*)/(\d+)", text)
        if found is None:
            raise ValueError(f"not a position of the form epoch/txid: {text!r}")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class Base:
    """The pinned source of a restore: transactions of `prefix` above `txid` are not part of history."""

    prefix: str
    epoch: int
    txid: int

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.txid)


@dataclass(frozen=True)
class LineageEntry:
    """What is known of one epoch. `copies_base`: its first transaction is what it was restored from and no more."""

    epoch: int
    prefix: str
    claimed_at: str | None = None
    base: Base | None = None
    replicated: bool = False
    sealed_txid: int | None = None
    copies_base: bool = False


@dataclass(frozen=True)
class Former:
    """A workflow whose data this was up to that epoch; it never claims again."""

    workflow_uid: str
    epoch: int


@dataclass(frozen=True)
class ForkOf:
    """The first life was restored from another workflow's data, whose database says it is `identity`."""

    identity: str


@dataclass(frozen=True)
class ImportOf:
    """The first life began with a SQLite file of these contents."""

    key: str
    sha256: str


Origin = ForkOf | ImportOf


@dataclass(frozen=True)
class Current:
    """The record. `owner` is the UID of the pod whose life `epoch` is; `adopted_from` has the newest last."""

    revision: int
    nonce: str
    workflow_uid: str
    identity: str
    epoch: int
    owner: str
    state: State
    seal_reason: SealReason | None = None
    next_wake_at: str | None = None
    lineage: tuple[LineageEntry, ...] = field(default=())
    adopted_from: tuple[Former, ...] = ()
    origin: Origin | None = None

    @property
    def entry(self) -> LineageEntry:
        """The lineage entry of the newest epoch."""
        return self.lineage[-1]

    def expected_identity(self, *, is_own: bool) -> str:
        """Who a restored database must say it is; that of a fork's source is not this workflow's own yet."""
        return self.origin.identity if isinstance(self.origin, ForkOf) and not is_own else self.identity

    def with_entry(self, **changes: Any) -> Current:
        """Change the newest epoch's entry."""
        return replace(self, lineage=(*self.lineage[:-1], replace(self.entry, **changes)))

    def next(self, nonce: str, **changes: Any) -> Current:
        """The record that follows this one."""
        return replace(self, revision=self.revision + 1, nonce=nonce, **changes)


def encode(current: Current) -> bytes:
    """The bytes of a record."""
    document = {
        "format": FORMAT,
        "revision": current.revision,
        "nonce": current.nonce,
        "workflowUID": current.workflow_uid,
        "identity": current.identity,
        "epoch": current.epoch,
        "owner": current.owner,
        "state": current.state.value,
        "sealReason": current.seal_reason.value if current.seal_reason else None,
        "nextWakeAt": current.next_wake_at,
        "lineage": [
            {
                "epoch": entry.epoch,
                "prefix": entry.prefix,
                "claimedAt": entry.claimed_at,
                "base": {"prefix": entry.base.prefix, "epoch": entry.base.epoch, "txid": entry.base.txid}
                if entry.base
                else None,
                "replicated": entry.replicated,
                "sealedTxid": entry.sealed_txid,
                "copiesBase": entry.copies_base,
            }
            for entry in current.lineage
        ],
        "adoptedFrom": [{"workflowUID": former.workflow_uid, "epoch": former.epoch} for former in current.adopted_from],
        "origin": _origin_document(current.origin),
    }
    return json.dumps(document, indent=1).encode()


def _origin_document(origin: Origin | None) -> dict[str, str] | None:
    if isinstance(origin, ImportOf):
        return {"key": origin.key, "sha256": origin.sha256}
    return None if origin is None else {"identity": origin.identity}


class _Fields:
    """Reads fields of a JSON object with their types, and names the one that is wrong."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise CurrentMalformed(f"{where or 'CURRENT'} is not a JSON object")
        self._value = value
        self._where = where

    def want(self, name: str, kind: type[T]) -> T | None:
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise CurrentMalformed(f"{self._where}{name} is not of type {kind.__name__}: {value!r:.80}")
        return value

    def need(self, name: str, kind: type[T]) -> T:
        value = self.want(name, kind)
        if value is None:
            raise CurrentMalformed(f"{self._where}{name} is missing")
        return value

    def number(self, name: str, least: int) -> int:
        value = self.need(name, int)
        if value < least:
            raise CurrentMalformed(f"{self._where}{name} is {value}, less than {least}")
        return value


def decode(data: bytes) -> Current:
    """Parse a record.

    Raises:
        CurrentMalformed: with the field that is wrong.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CurrentMalformed(f"not JSON: {error}") from error
    fields = _Fields(document, "")
    if (found := fields.number("format", 1)) != FORMAT:
        raise CurrentMalformed(f"format {found} is not known to this version, which knows {FORMAT}")
    try:
        state = State(fields.need("state", str))
        reason = fields.want("sealReason", str)
        seal_reason = SealReason(reason) if reason is not None else None
    except ValueError as error:
        if isinstance(error, CurrentMalformed):
            raise
        raise CurrentMalformed(str(error)) from error
    lineage = tuple(_entry(item, f"lineage[{i}].") for i, item in enumerate(fields.need("lineage", list)))
    current = Current(
        revision=fields.number("revision", 1),
        nonce=fields.need("nonce", str),
        workflow_uid=fields.need("workflowUID", str),
        identity=fields.need("identity", str),
        epoch=fields.number("epoch", 1),
        owner=fields.need("owner", str),
        state=state,
        seal_reason=seal_reason,
        next_wake_at=fields.want("nextWakeAt", str),
        lineage=lineage,
        adopted_from=tuple(
            _former(item, f"adoptedFrom[{i}].") for i, item in enumerate(fields.want("adoptedFrom", list) or ())
        ),
        origin=_origin(fields.want("origin", dict)),
    )
    _check(current)
    return current


def _entry(value: object, where: str) -> LineageEntry:
    fields = _Fields(value, where)
    base_value = fields.want("base", dict)
    base = None
    if base_value is not None:
        inner = _Fields(base_value, f"{where}base.")
        base = Base(inner.need("prefix", str), inner.number("epoch", 1), inner.number("txid", 1))
    return LineageEntry(
        epoch=fields.number("epoch", 1),
        prefix=fields.need("prefix", str),
        claimed_at=fields.want("claimedAt", str),
        base=base,
        replicated=fields.need("replicated", bool),
        sealed_txid=fields.want("sealedTxid", int),
        copies_base=fields.want("copiesBase", bool) or False,
    )


def _former(value: object, where: str) -> Former:
    fields = _Fields(value, where)
    return Former(fields.need("workflowUID", str), fields.number("epoch", 1))


def _origin(value: dict[str, Any] | None) -> Origin | None:
    if value is None:
        return None
    fields = _Fields(value, "origin.")
    if "key" in value:
        return ImportOf(fields.need("key", str), fields.need("sha256", str))
    return ForkOf(fields.need("identity", str))


def _check(current: Current) -> None:
    epochs = [entry.epoch for entry in current.lineage]
    if epochs != sorted(set(epochs)):
        raise CurrentMalformed(f"lineage is not in order of its epochs: {epochs}")
    if current.state in (State.ACTIVE, State.SEALED) and (not epochs or epochs[-1] != current.epoch):
        raise CurrentMalformed(f"epoch {current.epoch} is {current.state} but not the last of the lineage {epochs}")
    if (current.seal_reason is None) == (current.state is State.SEALED):
        raise CurrentMalformed(f"state {current.state} with sealReason {current.seal_reason}")
