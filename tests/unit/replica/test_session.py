"""Does a file of credentials that cannot be used look like a refusal, and never like a store without data?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dormouse.replica.s3 import S3, Location
from dormouse.replica.session import SessionFile
from dormouse.replica.store import StoreDenied

KEYS = '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "2026-01-01"}'


@pytest.mark.parametrize("content", [None, "", "[]", '{"AccessKeyId": "only"}'])
def test_a_file_without_credentials_is_a_refusal(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content)
    store = S3(Location("bucket", "http://127.0.0.1:1", session_file=str(path)))
    with pytest.raises(StoreDenied, match="the operator renews them"):
        asyncio.run(store.get("CURRENT"))


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    session = SessionFile(str(path))
    seen = []
    for name in ("first", "second"):
        path.write_text(KEYS % name)
        seen.append(session()["access_key_id"])
    assert seen == ["first", "second"]
