"""What do all tiers share? Two real S3 servers, each one a session, for the tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from dormouse_operator.dev.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from minio_server import MinIO, S3Server

# An example may take as long as the machine makes it take.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running SeaweedFS with the bucket `dormouse`; each test keeps to a prefix of its own.

    A bucket that nobody made with `create_bucket` is missing, as on S3.
    """
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinIO]:
    """A running MinIO with the bucket `dormouse`; each test keeps to a prefix, or a bucket, of its own."""
    from minio_server import MinIO

    server = MinIO(tmp_path_factory.mktemp("minio"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["seaweedfs", "minio"])
def each_store(request: pytest.FixtureRequest) -> S3Server:
    """One server after the other."""
    server: S3Server = request.getfixturevalue(request.param)
    return server
