"""Does each store have its own keys, and no more than that of its own?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from dormouse.replica.s3 import Location
from dormouse_operator.store.bucket_client import bucket_client


def location(number: int) -> Location:
    name = f"store-{number}"
    endpoint = f"http://127.0.0.1:{9000 + number}"
    return Location(bucket=name, endpoint=endpoint, access_key_id=name, secret_access_key="secret")


def test_what_s3_is_like_is_read_once_for_all_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket_client(location(0))
    read: list[str] = []
    load = JSONFileLoader.load_file

    def counted(loader: JSONFileLoader, path: str) -> Any:
        read.append(path)
        return load(loader, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    bucket_client(location(1))
    assert read == []


def test_clients_that_are_made_at_once_each_have_their_own_store_and_keys() -> None:
    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(bucket_client, map(location, range(32))))
    for number, client in enumerate(clients):
        assert client.meta.endpoint_url == location(number).endpoint
        assert client._request_signer._credentials.access_key == f"store-{number}"  # type: ignore[attr-defined] # nothing else tells it
