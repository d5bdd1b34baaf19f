"""Is everything in the store encrypted with the key that the ObjectStore names, and is a wrong key said to be wrong?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from keeper_pod import Workflow, run
from minio_server import MinIO
from test_store_probe import probe

KEY = "orders-key"
WITH_KEY = {"DORMOUSE_STORE_KMS_KEY_ID": KEY}


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinIO]:
    server = MinIO(tmp_path_factory.mktemp("encrypting"), kms_key=KEY)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_what_keeper_and_litestream_write_is_encrypted_and_restored(encrypting: MinIO, tmp_path: Path) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1, **WITH_KEY).open()
        first.write("secret")
        await first.keeper.barrier()
        await first.kill()
        second = await workflow.pod(2, **WITH_KEY).open()
        assert second.notes() == ["secret"]
        await second.keeper.barrier()
        client = encrypting.settings()
        below = client.list_objects_v2(Bucket=encrypting.bucket, Prefix=f"{workflow.prefix}/")["Contents"]
        heads = {one["Key"]: client.head_object(Bucket=encrypting.bucket, Key=one["Key"]) for one in below}
        assert workflow.layout.current in heads
        assert any(key.endswith(".ltx") for key in heads)
        assert {key for key, head in heads.items() if head.get("SSEKMSKeyId") != f"arn:aws:kms:{KEY}"} == set()

    run(story, Workflow(encrypting, tmp_path))


@pytest.mark.parametrize(("server", "code"), [("encrypting", "kms:KeyNotFound"), ("minio", "NotImplemented")])
def test_a_key_that_the_store_does_not_have_ends_the_pod_with_the_field_named(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, code: str
) -> None:
    async def story(workflow: Workflow) -> None:
        refused = await workflow.pod(1, DORMOUSE_STORE_KMS_KEY_ID="no-such-key").refusal()
        assert refused["reason"] == "StoreDenied"
        assert refused["message"] == (
            f"the store does not encrypt with the KMS key no-such-key ({code}); correct spec.serverSideEncryption of "
            "the ObjectStore, or let its credentials use the key"
        )

    run(story, Workflow(request.getfixturevalue(server), tmp_path))


def test_a_probe_tells_with_which_key_the_store_encrypts(encrypting: MinIO) -> None:
    ran = probe(encrypting, f"s3://{encrypting.bucket}/probed", "--kms-key-id", KEY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"the store encrypts with the KMS key arn:aws:kms:{KEY}" in ran.stdout
    refused = probe(encrypting, f"s3://{encrypting.bucket}/probed", "--kms-key-id", "no-such-key", "-o", "json")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    (check,) = json.loads(refused.stdout)["checks"]
    assert (check["name"], check["outcome"]) == ("Encryption", "failed")
    assert "does not encrypt with the KMS key no-such-key" in check["message"]


def test_a_probe_tells_how_the_bucket_encrypts_by_itself(encrypting: MinIO) -> None:
    settings = encrypting.settings()
    settings.create_bucket(Bucket="by-itself")
    settings.put_bucket_encryption(
        Bucket="by-itself",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    ran = probe(encrypting, "s3://by-itself")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "the bucket encrypts with AES256" in ran.stdout


@pytest.mark.parametrize(
    ("bucket", "variables", "said"),
    [
        ("never-made", {}, "does not exist; create it"),
        (None, {"AWS_SECRET_ACCESS_KEY": "wrong"}, "export the right AWS_ACCESS_KEY_ID"),
        (None, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "look at --endpoint and the network"),
    ],
)
def test_what_is_not_the_key_s_fault_is_not_called_that(
    encrypting: MinIO, bucket: str | None, variables: dict[str, str], said: str
) -> None:
    ran = probe(encrypting, f"s3://{bucket or encrypting.bucket}/probed", "--kms-key-id", KEY, **variables)
    assert (ran.returncode, said in ran.stderr) == (4, True), ran.stdout + ran.stderr
    assert "KMS" not in ran.stderr
