"""Is the same failure of a store told in the same words? New words are a new status, and a new Event."""

from __future__ import annotations

import asyncio
import itertools

import h11
import pytest
from store_proxy import StoreProxy

from dormouse.replica.s3 import S3, Location
from dormouse_operator.store.probe import probe

REQUESTS = itertools.count(1)


def busy(proxy: StoreProxy, request: h11.Request) -> bool:
    """As S3 answers: each answer has a number of its own."""
    number = next(REQUESTS)
    proxy.body = (
        f"<Error><Code>SlowDown</Code><RequestId>{number:032x}</RequestId><HostId>{number:0200}</HostId></Error>"
    ).encode()
    return request.method == b"PUT"


@pytest.mark.parametrize("is_down", [False, True])
def test_a_probe_that_fails_twice_says_the_same_twice(is_down: bool) -> None:
    async def story() -> None:
        async with StoreProxy(port=1).serving() as proxy:
            proxy.fail = lambda request: busy(proxy, request)
            if is_down:
                proxy.go_down()
            store = S3(Location("kept", proxy.endpoint, access_key_id="id", secret_access_key="key"))
            first, second = [await probe(store, "team") for _ in range(2)]
            assert first.available.status == "False"
            assert "kept/team/.dormouse-probe" in first.available.message
            assert first == second

    asyncio.run(story())
