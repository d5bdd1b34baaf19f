"""What does a claim make of a store that changes while it looks? A store in memory that another life writes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dormouse.keeper.beginning import begin
from dormouse.keeper.ownership import Ownership
from dormouse.keeper.settings import Settings, parse
from dormouse.keeper.steps import Steps
from dormouse.replica.current import Current, LineageEntry, State, encode
from dormouse.replica.layout import first_transaction
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import ListedObject, StoreConflict, StoredObject


class ClaimedMeanwhile:
    """Whoever finds no CURRENT here is followed by another life that claims and uploads."""

    def __init__(self, settings: Settings) -> None:
        self._entry = LineageEntry(1, settings.layout.epoch(1, "other"))
        self._uid = settings.pod.workflow_uid
        self._reads = 0

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | None:
        assert key.endswith("/CURRENT")
        assert unless_etag is None
        self._reads += 1
        if self._reads == 1:
            return None
        record = Current(1, "n", self._uid, self._uid, 1, "other", State.ACTIVE, lineage=(self._entry,))
        return StoredObject(encode(record), "etag", datetime(2026, 1, 1, tzinfo=UTC))

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        raise StoreConflict(f"{key} has another ETag than {if_match}, {len(data)} bytes were refused")

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        assert self._entry.prefix.startswith(prefix)
        yield first_transaction(self._entry.prefix)

    async def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        yield ListedObject(prefix, 0, datetime(2026, 1, 1, tzinfo=UTC))
        raise AssertionError(f"nobody looks at {prefix}")

    async def size(self, key: str) -> int | None:
        raise AssertionError(f"nobody asks how large {key} is")

    async def part(self, key: str, start: int, count: int) -> bytes | None:
        raise AssertionError(f"nobody reads {count} bytes of {key} from {start}")

    async def exists(self, key: str) -> bool:
        raise AssertionError(f"nobody asks for {key}")

    async def delete(self, key: str) -> None:
        raise AssertionError(f"nobody deletes {key}")


def test_data_that_appears_with_its_claim_while_the_prefix_is_listed_is_not_unclaimed(tmp_path: Path) -> None:
    settings = parse(
        {
            "DORMOUSE_NAME": "sleeper",
            "DORMOUSE_NAMESPACE": "default",
            "DORMOUSE_WORKFLOW_UID": "workflow",
            "DORMOUSE_POD_UID": "late",
            "DORMOUSE_EPOCH": "1",
            "DORMOUSE_FIRST_CLAIM": "true",
            "DORMOUSE_STORE_BUCKET": "bucket",
            "DORMOUSE_DIRECTORY": str(tmp_path),
        }
    )
    store = ClaimedMeanwhile(settings)
    with pytest.raises(Refused) as caught:
        asyncio.run(begin(settings, store, Ownership(store, settings.layout.current), Steps()))
    assert caught.value.refusal.reason is Reason.STALE_EPOCH
