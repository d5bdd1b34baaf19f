"""What does CURRENT in the store say about a workflow's last life? As the operator reads it, imported when needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.plan import Current


async def read_current(
    workflow: DurableWorkflow, store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None
) -> Current:
    """Read it once; the first pod of a workflow is started without it, and so without an S3 client."""
    from dormouse_operator.store import current

    return await current.read_current(workflow, store, secret, ca_bundle)
