"""How is the second S3 server run? MinIO as one child process, its data in one folder."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import S3Store

from dormouse.replica.s3 import Location
from dormouse_operator.dev.ports import free_ports
from dormouse_operator.store.bucket_client import bucket_client
from markdown_blocks import REPOSITORY

sys.path.append(str(REPOSITORY / "hack"))  # a program of its own, not part of the distribution

from testcluster.builds import minio as program

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_READY_WITHIN_SECONDS = 60.0
_ATTEMPTS = 3
_KEY = "c2l4dGVlbi10aW1lcy10d28tYnl0ZXMtb2Yta2V5ISE="


class S3Server(Protocol):
    """What tests ask of a server, whichever it is."""

    bucket: str
    region: str
    port: int

    @property
    def endpoint(self) -> str: ...

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...

    def client(self) -> S3Store: ...


class MinIO:
    """One MinIO on the loopback, with the bucket `dormouse`."""

    region = "us-east-1"
    bucket = "dormouse"
    access_key = "dormouse-root"
    secret_key = "dormouse-secret"

    def __init__(self, directory: Path, *, certificates: Path | None = None, kms_key: str = "") -> None:
        """With `certificates`, HTTPS: a folder with `public.crt`, `private.key`, and their `authority.crt`.

        With `kms_key`, the name of the one key that it can encrypt with.
        """
        self.directory = directory.absolute()
        self.port = 0
        self._certificates = certificates
        self._kms_key = kms_key
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.port}"

    def location(self, bucket: str = bucket) -> Location:
        return Location(
            bucket,
            self.endpoint,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            ca_bundle=str(self._certificates / "authority.crt") if self._certificates else "",
        )

    def start(self) -> None:
        """Returns once the bucket is there."""
        for _ in range(_ATTEMPTS):  # a port that was free a moment ago may be taken by now
            self._launch()
            try:
                if self._serves():
                    return
            except BaseException:
                self.stop()
                raise
        raise RuntimeError(f"MinIO ended at once: {(self.directory / 'minio.log').read_text()[-1000:]}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def confined(self, policy: str) -> dict[str, str]:
        """The environment with keys that may do what the policy says, from STS: MinIO takes the role of who asks."""
        sts = boto3.client(
            "sts",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )
        role = "arn:minio:iam:::role/none"  # the parameter has to be there
        given = sts.assume_role(RoleArn=role, RoleSessionName="test", DurationSeconds=900, Policy=policy)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def settings(self) -> S3Client:
        """For what concerns buckets."""
        return bucket_client(self.location())

    def client(self) -> S3Store:
        return S3Store(
            self.bucket,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "10s"},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        )

    def _launch(self) -> None:
        binary = program().folder() / "minio"
        if not binary.exists():
            raise RuntimeError("MinIO is not built for these inputs; build it, once, with: hack/cluster minio")
        self.port, console = free_ports(2)
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        (self.directory / "certificates").mkdir(exist_ok=True)
        command = [str(binary), "server", "--quiet", "--address", f"127.0.0.1:{self.port}"]
        command += ["--console-address", f"127.0.0.1:{console}"]
        command += ["--certs-dir", str(self._certificates or self.directory / "certificates")]
        encryption = {"MINIO_KMS_SECRET_KEY": f"{self._kms_key}:{_KEY}"} if self._kms_key else {}
        with (self.directory / "minio.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, str(self.directory / "data")],
                env={
                    "HOME": str(self.directory),
                    "MINIO_ROOT_USER": self.access_key,
                    "MINIO_ROOT_PASSWORD": self.secret_key,
                    "MINIO_BROWSER": "off",
                    "MINIO_UPDATE": "off",
                    **encryption,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _serves(self) -> bool:
        """False when it ended before it took a request."""
        assert self._process is not None
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while self._process.poll() is None:
            try:
                self.settings().create_bucket(Bucket=self.bucket)
            except (ClientError, BotoCoreError) as failed:
                if "BucketAlreadyOwnedByYou" in str(failed):
                    return True
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return True
        return False
