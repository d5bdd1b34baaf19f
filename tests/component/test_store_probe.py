"""Does `dormouse store probe` tell what a real store keeps, and what is wrong where it cannot ask?"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import obstore
import pytest
import yaml
from minio_server import MinIO, S3Server
from store_proxy import StoreProxy

from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.store.command import store
from markdown_blocks import REPOSITORY, blocks, fits

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import LifecycleRuleTypeDef, ObjectLockConfigurationTypeDef, ObjectLockRuleTypeDef

PAGE = REPOSITORY / "docs" / "stores.md"
FEW = ("--claimants", "2", "--rounds", "4")
KEPT = {"ReadAfterWrite", "IfNoneMatch", "IfMatch", "OneWinner", "ListAfterWrite", "Clock"}
SETTINGS = ("Lifecycle", "Versioning", "ObjectLock")
TOLD = (*KEPT, *SETTINGS, "Encryption")
EXPIRES_OURS: LifecycleRuleTypeDef = {
    "ID": "tidy",
    "Status": "Enabled",
    "Filter": {"Prefix": "team/"},
    "Expiration": {"Days": 30},
}
LOCKS_ALL: ObjectLockRuleTypeDef = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 9}}


def probe(server: S3Server, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    return subprocess.run(
        [Path(sys.executable).with_name("dormouse"), "store", "probe", *FEW, *arguments],
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": server.endpoint, **keys, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_good_store_is_suitable_and_left_as_it_was(each_store: S3Server) -> None:
    prefix = f"probe-{uuid4().hex[:8]}"
    ran = probe(each_store, f"s3://{each_store.bucket}/{prefix}", "-o", "json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["verdict"] == "suitable"
    assert {check["name"]: check["outcome"] for check in told["checks"]} == dict.fromkeys(TOLD, "passed")
    assert list(obstore.list(each_store.client(), prefix).collect()) == []


def test_a_bucket_that_does_things_by_itself_is_warned_of_and_suitable(minio: MinIO) -> None:
    bucket = f"warned-{uuid4().hex[:8]}"
    settings = minio.settings()
    settings.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    settings.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [EXPIRES_OURS]})
    locks: ObjectLockConfigurationTypeDef = {"ObjectLockEnabled": "Enabled", "Rule": LOCKS_ALL}
    settings.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=locks)
    ran = probe(minio, f"s3://{bucket}/team/prod")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = {line.split()[0]: line for line in ran.stdout.splitlines() if line}
    assert {name: lines[name].split()[1] for name in SETTINGS} == dict.fromkeys(SETTINGS, "warned")
    assert "the lifecycle rule tidy expires live objects below the prefix 'team/prod'" in lines["Lifecycle"]
    assert "locked (GOVERNANCE) for 9 days" in lines["ObjectLock"]


def test_the_policy_of_the_page_opens_its_prefix_and_no_other(minio: MinIO) -> None:
    (policy,) = [block.text for block in blocks(PAGE, "json") if block.title == "policy.json"]
    keys = minio.confined(policy.replace("my-bucket", minio.bucket))
    own = probe(minio, f"s3://{minio.bucket}/production", "-o", "json", **keys)
    assert own.returncode == 0, own.stdout + own.stderr
    checks = {check["name"]: check for check in json.loads(own.stdout)["checks"]}
    assert {name: checks[name]["outcome"] for name in KEPT} == dict.fromkeys(KEPT, "passed")
    assert {name: checks[name]["outcome"] for name in SETTINGS} == dict.fromkeys(SETTINGS, "unknown")
    assert "with s3:GetLifecycleConfiguration it would be checked" in checks["Lifecycle"]["message"]
    for other in ("", "/elsewhere", "/production2"):
        refused = probe(minio, f"s3://{minio.bucket}{other}", **keys)
        assert (refused.returncode, "they need s3:GetObject" in refused.stderr) == (4, True), refused.stderr


def test_a_store_that_ignores_conditions_is_unsuitable(seaweedfs: SeaweedFS) -> None:
    async def story() -> subprocess.CompletedProcess[str]:
        proxy = StoreProxy(seaweedfs.port, unconditional=seaweedfs.client())
        async with proxy.serving():
            arguments = (f"s3://{seaweedfs.bucket}/careless", "--endpoint", proxy.endpoint, "-o", "yaml")
            return await asyncio.to_thread(probe, seaweedfs, *arguments)

    ran = asyncio.run(story())
    assert ran.returncode == 1, ran.stdout + ran.stderr
    told = yaml.safe_load(ran.stdout)
    assert told["verdict"] == "unsuitable"
    failed = [check["name"] for check in told["checks"] if check["outcome"] == "failed"]
    assert {"IfNoneMatch", "IfMatch", "OneWinner"} <= set(failed)


@pytest.mark.parametrize(
    ("bucket", "variables", "said"),
    [
        ("never-made", {}, "does not exist; create it"),
        ("dormouse", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "export the right AWS_ACCESS_KEY_ID"),
        ("dormouse", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "look at --endpoint and the network"),
    ],
)
def test_a_store_that_cannot_be_asked_is_told_with_the_remedy(
    each_store: S3Server, bucket: str, variables: dict[str, str], said: str
) -> None:
    ran = probe(each_store, f"s3://{bucket}", **variables)
    assert (ran.returncode, said in ran.stderr) == (4, True), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_command_line_is_told_what_would_be_right(seaweedfs: SeaweedFS) -> None:
    ran = probe(seaweedfs, "dormouse")
    assert (ran.returncode, "write s3://BUCKET" in ran.stderr) == (2, True)


def test_the_page_shows_what_is_printed_and_every_option(seaweedfs: SeaweedFS) -> None:
    (shown,) = [block.text for block in blocks(PAGE, "text") if block.text.startswith("CHECK")]
    (command,) = [block.text for block in blocks(PAGE, "bash") if "store probe" in block.text]
    _, *arguments = shlex.split(command.splitlines()[-1].replace("https://s3.example.com", seaweedfs.endpoint))
    arguments = [argument.replace("my-bucket", seaweedfs.bucket) for argument in arguments[2:]]
    ran = probe(seaweedfs, *arguments, "--claimants", "2", "--rounds", "16")
    printed = ran.stdout.replace(seaweedfs.bucket, "my-bucket").replace("2 writers", "4 writers")
    assert fits(shown, printed), ran.stdout + ran.stderr
    options = {name for parameter in store.commands["probe"].params for name in parameter.opts if name[:2] == "--"}
    assert {name for name in options - {"--output"} if f"`{name}" not in PAGE.read_text()} == set()
