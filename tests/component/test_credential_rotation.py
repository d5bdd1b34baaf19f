"""Can the keys of a store be rotated while a workflow runs? A real store that knows two keys, and real keepers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from keeper_pod import KeeperPod, free_port
from operator_fleet import Fleet, Tell, telling
from reporting_pods import keeper_of, listening, planned

from dormouse.replica.current import State, decode
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreDenied, StoredObject
from dormouse_operator.dev.seaweedfs import SeaweedFS

SECOND = ("SECOND", "second-secret")
Keys = tuple[str, str]


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[SeaweedFS]:
    """A store of the test's own: its keys change."""
    server = SeaweedFS(tmp_path / "store")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tell(own_store: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(own_store, request.node.name)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed Secret is noticed sooner."""
    monkeypatch.setattr("dormouse_operator.controller.credentials._FRESH_SECONDS", 0.1)


def first_key(made: Fleet) -> Keys:
    return made.s3_server.access_key, made.s3_server.secret_key


def opened(made: Fleet, keys: Keys) -> S3:
    store = made.s3_server
    return S3(Location(store.bucket, store.endpoint, access_key_id=keys[0], secret_access_key=keys[1]))


async def let_in(made: Fleet, *keys: Keys) -> None:
    """The store knows these keys and no others."""
    server = made.s3_server
    assert isinstance(server, SeaweedFS)
    config = server.directory / "s3.json"
    known = json.loads(config.read_text())
    revoked = {(each["accessKey"], each["secretKey"]) for each in known["identities"][0]["credentials"]} - set(keys)
    known["identities"][0]["credentials"] = [{"accessKey": name, "secretKey": secret} for name, secret in keys]
    config.write_text(json.dumps(known))
    assert server.pid is not None
    os.kill(server.pid, signal.SIGHUP)
    async with asyncio.timeout(60):
        for each in keys:
            while not await is_let_in(made, each):
                await asyncio.sleep(0.05)
        for each in revoked:
            while await is_let_in(made, each):
                await asyncio.sleep(0.05)


async def is_let_in(made: Fleet, keys: Keys) -> bool:
    try:
        await opened(made, keys).get("whatever")
    except StoreDenied:
        return False
    return True


async def change_secret(made: Fleet, keys: Keys) -> None:
    data = dict(zip(("accessKeyId", "secretAccessKey"), keys, strict=True))
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    await made.server.change("secrets", "local", lambda secret: secret.update(data=encoded))


async def ends(made: Fleet, pod: str, keeper: KeeperPod) -> None:
    """The pod was deleted: its keeper has its grace."""
    await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", pod)["metadata"])
    await keeper.terminate()
    await made.server.remove("pods", pod)


async def begins_with(made: Fleet, keys: Keys) -> dict[str, str]:
    """What the keeper of the second pod is told, once the operator made one."""
    await made.server.until(lambda: "report-e2" in made.server.names("pods"))
    return {
        "DORMOUSE_EPOCH": "2",
        "DORMOUSE_FIRST_CLAIM": "false",
        "DORMOUSE_STORE_ACCESS_KEY_ID": keys[0],
        "DORMOUSE_STORE_SECRET_ACCESS_KEY": keys[1],
    }


def test_a_second_key_takes_the_place_of_the_first_while_a_workflow_runs(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())):
            async with keeper_of(made, await planned(made), tmp_path) as first:
                first.write("before")
                await first.keeper.barrier()
                await let_in(made, first_key(made), SECOND)
                await change_secret(made, SECOND)
                first.write("the old key still works")
                await first.keeper.barrier()
                await made.server.delete("pods", "report-e1")
                await ends(made, "report-e1", first)
            told = await begins_with(made, SECOND)
            async with keeper_of(made, made.server.get("pods", "report-e2"), tmp_path, **told) as second:
                await let_in(made, SECOND)
                second.write("after")
                await second.keeper.barrier()
                assert second.notes() == ["before", "the old key still works", "after"]
                await made.server.delete("durableworkflows", "report")
                await ends(made, "report-e2", second)
            # The operator too has the new key by now.
            await made.gone()
        found = await opened(made, SECOND).get(made.layout.current)
        assert isinstance(found, StoredObject)
        current = decode(found.data)
        assert (current.state, [entry.sealed_txid is None for entry in current.lineage]) == (
            State.RELEASED,
            [False] * 2,
        )

    tell(story)


def test_a_key_that_is_revoked_too_early_loses_nothing_that_was_acknowledged(tell: Tell, tmp_path: Path) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())):
            async with keeper_of(made, await planned(made), tmp_path) as first:
                first.write("acknowledged")
                await first.keeper.barrier()
                await let_in(made, SECOND)
                await change_secret(made, SECOND)
                await made.server.remove("pods", "report-e1")
            told = await begins_with(made, SECOND)
            async with keeper_of(made, made.server.get("pods", "report-e2"), tmp_path, **told) as second:
                assert second.notes() == ["acknowledged"]

    tell(story)
