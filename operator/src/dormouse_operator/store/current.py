"""What does CURRENT in the store say about a workflow's last life?"""

from __future__ import annotations

from dormouse.replica import current as record
from dormouse.replica.layout import Layout
from dormouse.replica.store import Store, StoredObject
from dormouse_operator.api import AdoptedFrom
from dormouse_operator.plan import Current, CurrentAbsent, CurrentMalformed, CurrentSeen, CurrentUnread


async def read_current(store: Store, layout: Layout) -> Current:
    """Read it once. Raises StoreError."""
    found = await store.get(layout.current)
    if found is None:
        return CurrentAbsent()
    if not isinstance(found, StoredObject):
        return CurrentUnread("the store answered that nothing changed, which was not asked")
    try:
        current = record.decode(found.data)
    except record.CurrentMalformed as malformed:
        return CurrentMalformed(str(malformed))
    newest = next((entry for entry in current.lineage if entry.epoch == current.epoch), None)
    former = current.adopted_from
    return CurrentSeen(
        epoch=current.epoch,
        state=current.state.value,
        seal_reason=None if current.seal_reason is None else current.seal_reason.value,
        next_wake_at=current.next_wake_at,
        workflow_uid=current.workflow_uid,
        has_data=bool(current.lineage),
        replicated=any(entry.replicated for entry in current.lineage),
        claimed_at=newest.claimed_at or "" if newest else "",
        restored_from=str(newest.base.position) if newest and newest.base else "",
        adopted_from=AdoptedFrom(uid=former[-1].workflow_uid, epoch=former[-1].epoch) if former else None,
    )
