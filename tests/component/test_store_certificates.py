"""Can a store have certificates of an authority of one's own? A real server with HTTPS, and all that talk to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from keeper_pod import Workflow, run
from minio_server import MinIO
from test_store_probe import probe

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", "req", "-x509", *_KEY, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinIO]:
    """A server whose certificate no machine trusts by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl(folder, "-keyout", "authority.key", "-out", "authority.crt", "-subj", "/CN=an authority of our own")
    leaf = ("-CA", "authority.crt", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE")
    names = ("-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl(folder, "-keyout", "private.key", "-out", "public.crt", *leaf, *names)
    server = MinIO(tmp_path_factory.mktemp("minio"), certificates=folder)
    server.start()
    yield server
    server.stop()


def test_a_life_and_the_restore_of_the_next_trust_the_authority_that_they_are_given(
    guarded: MinIO, tmp_path: Path
) -> None:
    trusting = {"DORMOUSE_STORE_CA_BUNDLE": guarded.location().ca_bundle}

    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1, **trusting).open()
        first.write("acknowledged")
        await first.keeper.barrier()
        await first.kill()
        first.lose_volume()
        second = await workflow.pod(2, **trusting).open()
        assert second.notes() == ["acknowledged"]

    run(story, Workflow(guarded, tmp_path))


def test_a_probe_trusts_the_authority_that_it_is_given_and_no_other(guarded: MinIO) -> None:
    url = f"s3://{guarded.bucket}/probed"
    assert probe(guarded, url, "--ca-bundle", guarded.location().ca_bundle).returncode == 0
    assert probe(guarded, url, AWS_CA_BUNDLE=guarded.location().ca_bundle).returncode == 0
    refused = probe(guarded, url)
    assert (refused.returncode, "look at --endpoint and the network" in refused.stderr) == (4, True)
