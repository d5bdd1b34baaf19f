"""Do keeper and Litestream live on credentials that last for minutes? Real ones, of MinIO's STS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import obstore
import pytest
from keeper_pod import KeeperPod, Workflow, run
from minio_server import MinIO
from session_files import EXPIRED, signed_with, write_session
from store_proxy import StoreProxy

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3
from dormouse.replica.store import StoreDenied
from dormouse_operator.plan import session_policy
from unit.operator_samples import store


@pytest.fixture
def workflow(minio: MinIO, tmp_path: Path) -> Workflow:
    return Workflow(minio, tmp_path)


def policy(workflow: Workflow, source: Layout | None = None) -> str:
    """What the operator would ask for."""
    asked = store({"spec.bucket": workflow.server.bucket, "spec.prefix": workflow.prefix})
    return session_policy(asked, workflow.layout, source)


def on_sessions(workflow: Workflow, epoch: int, path: Path, endpoint: str) -> KeeperPod:
    keys = {"DORMOUSE_STORE_ACCESS_KEY_ID": "", "DORMOUSE_STORE_SECRET_ACCESS_KEY": ""}
    return workflow.pod(
        epoch,
        DORMOUSE_STORE_SESSION_FILE=str(path),
        DORMOUSE_STORE_ENDPOINT=endpoint,
        DORMOUSE_GRACE_SECONDS="30",
        **keys,
    )


def test_a_life_goes_on_when_its_credentials_are_replaced_and_the_old_ones_are_revoked_before_their_time(
    workflow: Workflow, minio: MinIO
) -> None:
    async def story(workflow: Workflow) -> None:
        path = workflow.folder / "credentials.json"
        first, second = minio.confined(policy(workflow)), minio.confined(policy(workflow))
        async with StoreProxy(minio.port, status=403, body=EXPIRED).serving() as proxy:
            write_session(path, first, seconds=600)
            pod = await on_sessions(workflow, 1, path, proxy.endpoint).open()
            pod.write("with the first")
            await pod.keeper.barrier()
            write_session(path, second, seconds=600)
            proxy.fail = signed_with(first["AWS_ACCESS_KEY_ID"])
            pod.write("with the second")
            await pod.keeper.barrier()
            assert await pod.terminate() == 0
            assert pod.farewell()["reason"] == "Sealed"
            assert "litestream ended" not in (pod.folder / "log").read_text()
            # The next life restores with them too.
            later = await on_sessions(workflow, 2, path, proxy.endpoint).open()
            assert later.notes() == ["with the first", "with the second"]

    run(story, workflow)


def with_keys(workflow: Workflow, keys: dict[str, str]) -> S3:
    return S3(
        replace(
            workflow.location,
            access_key_id=keys["AWS_ACCESS_KEY_ID"],
            secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            session_token=keys["AWS_SESSION_TOKEN"],
        )
    )


def test_a_fork_reads_its_source_and_changes_nothing_there_until_it_needs_it_no_more(
    workflow: Workflow, minio: MinIO
) -> None:
    async def story(workflow: Workflow) -> None:
        path = workflow.folder / "credentials.json"
        source = await workflow.pod(1).open()
        source.write("of the source")
        await source.keeper.barrier()
        await source.kill()
        fork = workflow.beside("fork")
        keys = minio.confined(policy(fork, workflow.layout))
        confined = with_keys(fork, keys)
        for refused in (
            confined.put(workflow.layout.current, b"{}", None),
            confined.put(f"{workflow.layout.epochs}00000009-late/x", b"", None),
            confined.delete(workflow.layout.current),
            confined.get(Layout.of(workflow.prefix, "default", "other").current),
        ):
            with pytest.raises(StoreDenied):
                await refused
        write_session(path, keys, seconds=1)
        pod = on_sessions(fork, 1, path, minio.endpoint)
        pod.variables["DORMOUSE_RESTORE_FROM_NAME"] = workflow.name
        await pod.open()
        pod.write("of the fork")
        await pod.keeper.barrier()
        # From here on it has its own data: the source is closed to it.
        own = minio.confined(policy(fork))
        with pytest.raises(StoreDenied):
            await with_keys(fork, own).get(workflow.layout.current)
        write_session(path, own, seconds=600)
        await pod.kill()
        later = on_sessions(fork, 2, path, minio.endpoint)
        later.variables["DORMOUSE_RESTORE_FROM_NAME"] = workflow.name
        await later.open()
        assert later.notes() == ["of the source", "of the fork"]
        listed = obstore.list(workflow.raw_store, workflow.layout.root).collect()
        assert {each["path"].split("/")[4].split("-")[0] for each in listed if "epochs" in each["path"]} == {"00000001"}

    run(story, workflow)
