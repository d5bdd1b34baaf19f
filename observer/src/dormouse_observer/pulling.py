"""How does a workflow's database come here without anybody touching its pod? From the store, and only read."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dormouse.errors import DormouseError
from dormouse.keeper import litestream
from dormouse.keeper.origin import files_below, resolved, written_when
from dormouse.replica.current import Base, Current, CurrentMalformed, Position, State, decode
from dormouse.replica.history import File, restorable
from dormouse.replica.layout import first_transaction
from dormouse.replica.refusal import Refused
from dormouse.replica.s3 import S3
from dormouse.replica.store import StoredObject, StoreError
from dormouse_observer.contents import contents_of, sha256_of
from dormouse_observer.manifest import Manifest, encoded, lives_of, manifest_of
from dormouse_observer.whereabouts import Whereabouts

_ANSWERS_WITHIN_SECONDS = 60.0
_RESTORED_WITHIN_SECONDS = 3600.0


class NotPulled(DormouseError):
    """There is nothing to pull, or it is not whole; the message says what to do."""


class Unreachable(DormouseError):
    """The store does not answer, or refuses the keys."""


async def pull(whereabouts: Whereabouts, at: Position | datetime | None, target: Path) -> tuple[Manifest, Current]:
    """Restore what the store holds of it into `target`, every page checked, and put the manifest beside it.

    Args:
        whereabouts: of the data.
        at: the position, or a time: the last position that was written by then; None for the newest.
        target: the file; replaced as a whole, or left as it was.

    Raises:
        NotPulled: when there is no such position, or a restore does not succeed.
        Unreachable: when the store cannot be asked.
    """
    store = S3(whereabouts.location)
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
            current, base, written_at, newest = await _found(store, whereabouts, at)
    except Refused as refused:
        raise NotPulled(refused.refusal.message) from refused
    except TimeoutError:
        raise Unreachable(f"the store did not answer within {_ANSWERS_WITHIN_SECONDS:g} s; try again") from None
    except StoreError as error:
        where = whereabouts.location.endpoint or "of AWS"
        remedy = "see that it is there and lets you read; --endpoint names the address that it has from here"
        raise Unreachable(f"the store {where}: {error}; {remedy}") from error
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.absolute().parent) as folder:
        draft = Path(folder) / "db.sqlite"
        trouble = await litestream.restore(
            whereabouts.location, base.prefix, base.txid, draft, Path(folder), _RESTORED_WITHIN_SECONDS
        )
        if trouble is not None:
            raise NotPulled(
                f"{base.position} cannot be restored: {trouble}; choose another position with --at, or look with "
                "`dormouse store check`"
            )
        contents = contents_of(draft)
        manifest = Manifest(
            name=whereabouts.name,
            namespace=whereabouts.namespace,
            source=f"s3://{whereabouts.location.bucket}/{whereabouts.layout.root}",
            position=str(base.position),
            written_at=written_at,
            pulled_at=datetime.now(UTC),
            is_newest=newest,
            state=str(current.state),
            identity=current.identity,
            sha256=await asyncio.to_thread(sha256_of, draft),
            bytes=draft.stat().st_size,
            image=whereabouts.image,
            schema=contents.schema,
            executions=contents.executions,
            lives=lives_of(current, whereabouts.layout.root, base.epoch),
        )
        # Nobody is to run it by mistake: its idempotency keys are those of the live workflow.
        draft.chmod(0o444)
        described = Path(folder) / "manifest.json"
        described.write_bytes(encoded(manifest))
        draft.replace(target)
        described.replace(manifest_of(target))
    return manifest, current


async def _found(
    store: S3, whereabouts: Whereabouts, at: Position | datetime | None
) -> tuple[Current, Base, datetime, bool]:
    """The record, what is to be restored of it, when that was written, and whether it is the newest."""
    key = whereabouts.layout.current
    found = await store.get(key)
    if not isinstance(found, StoredObject):
        raise NotPulled(
            f"there is no {key} in the bucket {whereabouts.location.bucket!r}, so no data of "
            f"{whereabouts.namespace}/{whereabouts.name}; check the bucket and the prefix"
        )
    try:
        current = decode(found.data)
    except CurrentMalformed as problem:
        raise NotPulled(f"{key} cannot be read: {problem}; restore that object") from problem
    if current.state is State.DELETING or (current.state is State.RELEASED and not current.lineage):
        raise NotPulled(f"the data of {whereabouts.namespace}/{whereabouts.name} was deleted")
    base = await resolved(store, current, at)
    newest = base if at is None else await resolved(store, current, None)
    ends = restorable(await files_below(store, base.prefix), None)
    file = next((one for one in ends if one.last == base.txid), None)
    return current, base, await _written_at(store, file, base), newest == base


async def _written_at(store: S3, file: File | None, base: Base) -> datetime:
    unknown = File(first_transaction(base.prefix), 1, base.txid, datetime.now(UTC))
    return await written_when(store, file or unknown)
