"""How does data come to belong to nobody, or to be gone? Each step is a conditional write of CURRENT.

Retain: CURRENT says Released. Delete: CURRENT says Deleting, every epoch is removed, and a Released record without
a lineage stays as a tombstone, so that no epoch number is ever used again. Every step may be repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from dormouse.replica.current import Current, CurrentMalformed, State, decode, encode
from dormouse.replica.layout import Layout, epoch_of
from dormouse.replica.store import Store, StoredObject, StoreError

_AT_ONCE = 16


class NotOurs(StoreError):
    """CURRENT is another workflow's, or changed in a way that nobody but a person can explain."""


@dataclass(frozen=True)
class Leaving:
    """Who leaves, and how. `epoch` is the newest that was ever used."""

    workflow_uid: str
    policy: Literal["Retain", "Delete"]
    epoch: int


def next_record(found: Current | None, leaving: Leaving, nonce: str, *, is_empty: bool) -> Current | None:
    """The record to write now, or None when all is done. `is_empty`: no epoch holds any object. Raises NotOurs."""
    if found is None:
        if leaving.policy == "Retain":
            return None
        return Current(
            revision=1,
            nonce=nonce,
            workflow_uid=leaving.workflow_uid,
            identity=leaving.workflow_uid,
            epoch=leaving.epoch,
            owner="",
            state=State.DELETING,
        )
    if found.workflow_uid != leaving.workflow_uid:
        raise NotOurs(f"CURRENT belongs to workflow {found.workflow_uid}")
    epoch = max(found.epoch, leaving.epoch)
    if leaving.policy == "Retain" and found.state is not State.DELETING:
        if found.state is State.RELEASED:
            return None
        return found.next(nonce, state=State.RELEASED, seal_reason=None, next_wake_at=None)
    if found.state is State.DELETING:
        if not is_empty:
            return None
        return found.next(nonce, state=State.RELEASED, epoch=epoch, lineage=())
    if found.state is State.RELEASED and not found.lineage:
        return None
    return found.next(nonce, state=State.DELETING, epoch=epoch, seal_reason=None, next_wake_at=None)


async def release(store: Store, layout: Layout, leaving: Leaving, seconds: float) -> bool:
    """Take it to its end, which is True; a removal that takes longer is left half way, and goes on when asked again.

    Raises:
        StoreError: whatever was done by then counts.
    """
    found, etag = await _read(store, layout)
    record = next_record(found, leaving, uuid4().hex, is_empty=False)
    if record is not None:
        await store.put(layout.current, encode(record), etag)
        found, etag = await _read(store, layout)
    if found is None or found.state is not State.DELETING:
        return True
    if not await _remove_epochs(store, layout, found.epoch, seconds):
        return False
    record = next_record(found, leaving, uuid4().hex, is_empty=True)
    if record is not None:
        await store.put(layout.current, encode(record), etag)
    return True


async def _read(store: Store, layout: Layout) -> tuple[Current | None, str | None]:
    found = await store.get(layout.current)
    if not isinstance(found, StoredObject):
        return None, None
    try:
        return decode(found.data), found.etag
    except CurrentMalformed as malformed:
        raise NotOurs(f"CURRENT cannot be understood: {malformed}") from malformed


async def _remove_epochs(store: Store, layout: Layout, newest: int, seconds: float) -> bool:
    """Whether none is left. At least one batch goes each time, so that it comes to an end."""
    end = asyncio.get_running_loop().time() + seconds
    batch: list[str] = []
    async for key in store.keys(layout.epochs):
        epoch = epoch_of(f"/{key}")
        if epoch is None or epoch <= newest:
            batch.append(key)
        if len(batch) == _AT_ONCE:
            await _remove(store, batch)
            batch = []
            if asyncio.get_running_loop().time() >= end:
                return False
    await _remove(store, batch)
    return True


async def _remove(store: Store, keys: list[str]) -> None:
    await asyncio.gather(*(store.delete(each) for each in keys))
