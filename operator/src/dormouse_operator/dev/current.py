"""What does CURRENT in the store say about a workflow's last life? As the operator reads it, imported when needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.plan import Current, CurrentUnread

_LONGEST_SECONDS = 10


async def read_current(
    workflow: DurableWorkflow, store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None
) -> Current:
    """Read it once; the first pod of a workflow is started without it, and so without an S3 client."""
    from dormouse.replica.layout import Layout
    from dormouse.replica.store import StoreError
    from dormouse_operator.store import current
    from dormouse_operator.store.location import open_store
    from dormouse_operator.store.trouble import told

    metadata = workflow.metadata
    layout = Layout.of(store.spec.prefix, metadata.namespace, metadata.name)
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await current.read_current(open_store(store, secret, ca_bundle), layout)
    except (StoreError, OSError, TimeoutError) as failed:
        return CurrentUnread(told("CURRENT cannot be read from", store, failed))
