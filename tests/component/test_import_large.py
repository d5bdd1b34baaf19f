"""Does a large file get into the store without being in memory, whole or not at all? On each store."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from minio_server import S3Server
from store_proxy import StoreProxy

from dormouse.keeper.origin import fetch_import
from dormouse.replica.current import ImportOf
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreUnknown
from dormouse_observer import importing
from dormouse_observer.importing import Imports, NotImported, import_file
from dormouse_observer.pulling import Unreachable

MEBIBYTE = 1024 * 1024


def location_of(server: S3Server, endpoint: str = "") -> Location:
    return Location(
        bucket=server.bucket,
        endpoint=endpoint or server.endpoint,
        region=server.region,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
    )


def imports(server: S3Server, endpoint: str = "") -> Imports:
    return Imports.below(location_of(server, endpoint), f"large-{uuid4().hex[:8]}/shop")


def database(path: Path, mebibytes: int) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE part (bytes BLOB)")
        for _ in range(mebibytes):
            connection.execute("INSERT INTO part VALUES (randomblob(?))", (MEBIBYTE,))
        connection.commit()
    return path


def fetched(into: Imports, key: str, sha256: str, folder: Path) -> bytes:
    draft = folder / "fetched.sqlite"
    asyncio.run(fetch_import(S3(into.location), ImportOf(into.layout.imported(key), sha256), draft))
    return draft.read_bytes()


def size_of(into: Imports, key: str) -> int | None:
    return asyncio.run(S3(into.location).size(into.layout.imported(key)))


def test_a_file_is_never_in_memory_as_a_whole(each_store: S3Server, tmp_path: Path) -> None:
    file, into = database(tmp_path / "shop.sqlite", 24), imports(each_store)
    tracemalloc.start()
    try:
        made = asyncio.run(import_file(file, into, "shop.sqlite"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.bytes > 24 * MEBIBYTE
    assert most < 8 * MEBIBYTE
    assert hashlib.sha256(fetched(into, made.key, made.sha256, tmp_path)).hexdigest() == made.sha256


def test_what_somebody_else_has_just_put_there_stays(each_store: S3Server, tmp_path: Path) -> None:
    file, into = database(tmp_path / "shop.sqlite", 1), imports(each_store)
    store, key = S3(into.location), into.layout.imported("shop.sqlite")

    async def race() -> bytes:
        await store.put(key, b"theirs", None)
        with pytest.raises(StoreUnknown):
            await store.create_from(key, file)
        return await store.part(key, 0, 6) or b""

    assert asyncio.run(race()) == b"theirs"


def test_what_is_too_large_for_one_request_goes_in_parts(
    each_store: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "LARGEST_AT_ONCE", MEBIBYTE)
    file, into = database(tmp_path / "shop.sqlite", 20), imports(each_store)
    with pytest.raises(NotImported, match="leave out --key"):
        asyncio.run(import_file(file, into, "shop.sqlite"))
    made = asyncio.run(import_file(file, into, None))
    assert (made.was_there, made.bytes > 20 * MEBIBYTE) == (False, True)
    assert hashlib.sha256(fetched(into, made.key, made.sha256, tmp_path)).hexdigest() == made.sha256
    assert asyncio.run(import_file(file, into, None)).was_there


@pytest.mark.parametrize("largest_at_once", [MEBIBYTE, importing.LARGEST_AT_ONCE], ids=["in parts", "at once"])
def test_an_upload_that_fails_half_way_leaves_nothing(
    each_store: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest_at_once: int
) -> None:
    monkeypatch.setattr(importing, "LARGEST_AT_ONCE", largest_at_once)
    file, prefix = database(tmp_path / "shop.sqlite", 20), f"half-{uuid4().hex[:8]}"

    async def try_it() -> None:
        async with StoreProxy(urlsplit(each_store.endpoint).port or 80).serving() as proxy:
            proxy.fail = lambda request: request.method == b"PUT" and b"partNumber=1" not in request.target
            await import_file(file, Imports.below(location_of(each_store, proxy.endpoint), f"{prefix}/shop"), None)

    with pytest.raises(Unreachable, match="the store http"):
        asyncio.run(try_it())
    client = boto3.client(
        "s3",
        endpoint_url=each_store.endpoint,
        aws_access_key_id=each_store.access_key,
        aws_secret_access_key=each_store.secret_key,
        region_name=each_store.region,
    )
    assert client.list_objects_v2(Bucket=each_store.bucket, Prefix=prefix)["KeyCount"] == 0
    # MinIO lists uploads only by the whole key.
    key = f"{prefix}/shop/.imports/shop-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}.sqlite"
    assert client.list_multipart_uploads(Bucket=each_store.bucket, Prefix=key).get("Uploads", []) == []


def test_an_upload_whose_answer_is_lost_is_found_to_be_there(each_store: S3Server, tmp_path: Path) -> None:
    file = database(tmp_path / "shop.sqlite", 1)

    async def try_it() -> importing.Imported:
        proxy = StoreProxy(urlsplit(each_store.endpoint).port or 80)
        async with proxy.serving():
            proxy.lose_answers_of = lambda request: request.method == b"PUT"
            made = await import_file(file, imports(each_store, proxy.endpoint), None)
            assert proxy.lost == 1
            return made

    assert asyncio.run(try_it()).was_there


def test_an_upload_whose_object_vanishes_before_it_is_compared_is_not_told_as_done(
    each_store: S3Server, tmp_path: Path
) -> None:
    file = database(tmp_path / "shop.sqlite", 1)

    async def try_it() -> None:
        proxy = StoreProxy(urlsplit(each_store.endpoint).port or 80, status=412)
        async with proxy.serving():
            proxy.fail = lambda request: request.method == b"PUT"
            await import_file(file, imports(each_store, proxy.endpoint), None)

    with pytest.raises(Unreachable):
        asyncio.run(try_it())
