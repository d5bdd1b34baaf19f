"""Does each workflow get credentials of its own, which open its own prefix and are renewed? With MinIO's STS."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from keeper_pod import free_port
from minio_server import MinIO
from operator_api_documents import Document
from operator_fleet import Fleet, Tell, telling
from reporting_pods import TOKEN, keeper_of, listening, reviewed
from session_files import EXPIRED, signed_with
from store_proxy import StoreProxy

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreDenied, StoreError
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.plan import session_policy
from dormouse_operator.store.sts import assume_role
from unit.operator_samples import store

STS: dict[str, Any] = {"roleArn": "arn:minio:iam:::role/none", "durationSeconds": 900}
SESSIONS = {"secretRef": {"name": "local"}, "sts": STS}
CLAIMED = "report-e1"


@pytest.fixture
def tell(minio: MinIO, request: pytest.FixtureRequest) -> Tell:
    return telling(minio, request.node.name)


@pytest.fixture
def without_sts(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def session_secret(made: Fleet) -> Document:
    return made.server.get("secrets", f"report-store-{made.uid()[:8]}")


def credentials(made: Fleet) -> dict[str, str]:
    found: dict[str, str] = json.loads(base64.b64decode(session_secret(made)["data"]["credentials.json"]))
    return found


def opened(made: Fleet) -> S3:
    """The store, with the credentials that the pod has."""
    keys, store = credentials(made), made.s3_server
    return S3(
        Location(
            store.bucket,
            store.endpoint,
            access_key_id=keys["AccessKeyId"],
            secret_access_key=keys["SecretAccessKey"],
            session_token=keys["SessionToken"],
        )
    )


async def is_denied(made: Fleet, key: str) -> bool:
    try:
        await opened(made).get(key)
    except StoreDenied:
        return True
    return False


@asynccontextmanager
async def mounted(made: Fleet, path: Path) -> AsyncIterator[None]:
    """What a kubelet does: the file says what the Secret says."""

    async def copy() -> None:
        while True:
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(credentials(made)))
            draft.replace(path)
            await asyncio.sleep(0.1)

    path.write_text(json.dumps(credentials(made)))
    copying = asyncio.create_task(copy())
    try:
        yield
    finally:
        copying.cancel()


def test_a_pod_has_credentials_of_its_own_that_open_nothing_else(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store(credentials=SESSIONS)
            await made.apply()
            await made.server.until(lambda: CLAIMED in made.server.names("pods"))
            (keeper,) = made.server.get("pods", CLAIMED)["spec"]["initContainers"]
            assert "secretKeyRef" not in json.dumps(keeper)
            (owner,) = session_secret(made)["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("DurableWorkflow", made.uid())
            assert await opened(made).get(made.layout.current) is None
            assert await is_denied(made, f"{made.prefix}/team/other/CURRENT")
            assert await is_denied(made, f"{made.prefix}/team/report-2/CURRENT")
            available = made.condition("Available", "local", "objectstores")
            assert (available["status"], "one prefix only" in available["message"]) == ("True", True)

    tell(story)


def test_credentials_are_renewed_while_the_pod_lives_and_neither_keeper_nor_litestream_restarts(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of 900 seconds, the shortest that an STS gives.
    monkeypatch.setattr("dormouse_operator.plan.session.RENEWED_AFTER", 0.004)
    monkeypatch.setattr("dormouse_operator.plan.session.READ_AGAIN_AFTER", 0.005)

    async def story(made: Fleet) -> None:
        async with made.operator(**listening(free_port())), StoreProxy(made.s3_server.port).serving() as proxy:
            proxy.status, proxy.body = 403, EXPIRED
            await made.apply_store(credentials=SESSIONS)
            await made.apply()
            await made.server.until(lambda: CLAIMED in made.server.names("pods"))
            pod = made.server.get("pods", CLAIMED)
            made.server.tokens[TOKEN] = reviewed(pod)
            first = credentials(made)["AccessKeyId"]
            more = {
                "DORMOUSE_STORE_ENDPOINT": proxy.endpoint,
                "DORMOUSE_STORE_SESSION_FILE": str(tmp_path / "credentials.json"),
                "DORMOUSE_STORE_ACCESS_KEY_ID": "",
                "DORMOUSE_STORE_SECRET_ACCESS_KEY": "",
            }
            async with (
                mounted(made, tmp_path / "credentials.json"),
                keeper_of(made, pod, tmp_path, **more) as keeper,
            ):
                keeper.write("before")
                await keeper.keeper.barrier()
                await made.server.until(lambda: credentials(made)["AccessKeyId"] != first)
                proxy.fail = signed_with(first)
                keeper.write("after")
                await keeper.keeper.barrier()
                assert "litestream ended" not in (keeper.folder / "log").read_text()
                assert keeper.process is not None
                assert keeper.process.returncode is None

    tell(story)


def test_an_operator_that_starts_anew_mints_nothing_that_is_there(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store(credentials=SESSIONS)
            await made.apply()
            await made.runs(CLAIMED)
            await made.phase("Running")
            before = session_secret(made)
        made.server.requests.clear()
        async with made.operator("operator-b"):
            await made.server.until(lambda: any(request_of(before) in each for each in made.server.requests))
            await made.calm()
            assert session_secret(made) == before

    tell(story)


def request_of(secret: Document) -> str:
    return f"GET /api/v1/namespaces/team/secrets/{secret['metadata']['name']}"


def test_a_store_without_sts_says_which_field_to_change_and_gets_no_pod(without_sts: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store(credentials=SESSIONS)
            await made.server.until(
                lambda: (
                    made.condition("Available", "local", "objectstores").get("reason") == "SessionCredentialsRefused"
                )
            )
            told = made.condition("Available", "local", "objectstores")["message"]
            assert "spec.credentials.sts.endpoint" in told
            assert "remove spec.credentials.sts" in told
            await made.apply()
            await made.phase("Stalled")
            assert made.condition("Stalled")["reason"] == "SessionCredentialsRefused"
            assert made.server.names("pods") == []
            await made.apply_store(credentials={"secretRef": {"name": "local"}})
            await made.server.until(lambda: CLAIMED in made.server.names("pods"))

    without_sts(story)


@pytest.mark.parametrize(
    ("keys", "changes", "long", "said"),
    [
        (("nobody", "none"), {}, 1, "spec.credentials.sts.roleArn: the keys in Secret `local`"),
        (None, {}, 700, "spec.prefix: too long for the policy of a session"),
        (None, {"endpoint": "http://127.0.0.1:1"}, 1, "spec.credentials.sts.endpoint: http://127.0.0.1:1 does not"),
    ],
)
def test_what_is_refused_is_told_by_its_field(
    minio: MinIO, keys: tuple[str, str] | None, changes: dict[str, Any], long: int, said: str
) -> None:
    names = keys or (minio.access_key, minio.secret_key)
    secret = dict(zip(("accessKeyId", "secretAccessKey"), (name.encode() for name in names), strict=True))
    made = store({"spec.endpoint": minio.endpoint, "spec.credentials.sts": {**STS, **changes}})
    assert made.spec.credentials.sts is not None
    with pytest.raises(StoreError) as caught:
        assume_role(made, made.spec.credentials.sts, secret, None, session_policy(made, Layout("own" * long)), "test")
    assert str(caught.value).startswith(said)
