"""What do all tiers share? The real S3 server, one a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running SeaweedFS with the bucket `dormouse`; each test keeps to a prefix of its own.

    A bucket that nobody made with `create_bucket` is missing, as on S3.
    """
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()
