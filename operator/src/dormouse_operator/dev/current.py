"""What does CURRENT in the store say about a workflow's last life?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from dormouse_operator import plan
from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.plan import Current, CurrentAbsent, CurrentSeen, CurrentUnread

_DURATION = re.compile(r" in [0-9.]+(ns|µs|ms|s)\b")  # would make every message a new one


async def read_current(
    workflow: DurableWorkflow, store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None
) -> Current:
    """Read it once; whatever keeps it from being read is said in the CurrentUnread."""
    # Imported when needed: the first pod of a workflow is started without reading CURRENT.
    from dormouse.replica.current import CurrentMalformed, decode
    from dormouse.replica.layout import Layout
    from dormouse.replica.s3 import S3, Location
    from dormouse.replica.store import StoredObject, StoreError

    spec = store.spec
    location = Location(
        bucket=spec.bucket,
        endpoint=spec.endpoint,
        region=spec.region,
        path_style=spec.path_style,
        access_key_id=_text(secret, spec.credentials.secret_ref.access_key_id_key),
        secret_access_key=_text(secret, spec.credentials.secret_ref.secret_access_key_key),
        ca_bundle="" if ca_bundle is None else str(ca_bundle),
    )
    layout = Layout.of(spec.prefix, workflow.metadata.namespace, workflow.metadata.name)
    try:
        async with asyncio.timeout(10):
            found = await S3(location).get(layout.current)
        if found is None:
            return CurrentAbsent()
        if not isinstance(found, StoredObject):
            return CurrentUnread("the store answered that nothing changed, which was not asked")
        current = decode(found.data)
    except CurrentMalformed as problem:
        return plan.CurrentMalformed(str(problem))
    except (StoreError, OSError, TimeoutError) as failed:
        told = _DURATION.sub("", f"{type(failed).__name__}: {failed}")
        return CurrentUnread(f"CURRENT cannot be read from {spec.endpoint or 'S3'}: {told}")
    return CurrentSeen(
        epoch=current.epoch,
        state=current.state.value,
        seal_reason=None if current.seal_reason is None else current.seal_reason.value,
        next_wake_at=current.next_wake_at,
        workflow_uid=current.workflow_uid,
    )


def _text(secret: Mapping[str, bytes], key: str) -> str:
    return secret.get(key, b"").decode(errors="replace")
