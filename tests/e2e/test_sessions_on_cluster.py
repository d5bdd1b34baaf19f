"""Does a pod of a real cluster live on credentials of its own, and on the next ones? With MinIO's STS."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from session_files import EXPIRED, signed_with
from store_proxy import StoreProxy, beside

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreDenied
from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import installed
from e2e.running_cluster import Cluster, eventually

if TYPE_CHECKING:
    from minio_server import MinIO

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(400)]
STS = {"roleArn": "arn:minio:iam:::role/any", "durationSeconds": 3600}


@dataclass(frozen=True)
class Place:
    """A cluster whose store is MinIO, reached by pods through a proxy on this machine."""

    cluster: Cluster
    namespace: str
    proxy: StoreProxy

    def workflow(self, steps: int) -> ChainWorkflow:
        return ChainWorkflow(self.cluster, self.namespace, steps=steps, sts=STS).apply()

    def credentials(self, workflow: ChainWorkflow) -> dict[str, str]:
        """What the operator minted for it last."""
        uid = self.cluster.get("--namespace", self.namespace, "durableworkflow", workflow.name)["metadata"]["uid"]
        secret = self.cluster.get("--namespace", self.namespace, "secret", f"{workflow.name}-store-{uid[:8]}")
        found: dict[str, str] = json.loads(base64.b64decode(secret["data"]["credentials.json"]))
        return found

    def read(self, keys: dict[str, str], key: str) -> bool:
        """Whether there is such an object; raises StoreDenied where these credentials may not know."""
        store = self.cluster.store
        location = Location(
            store["bucket"],
            store["endpoint"],
            store["region"],
            access_key_id=keys["AccessKeyId"],
            secret_access_key=keys["SecretAccessKey"],
            session_token=keys["SessionToken"],
        )
        return asyncio.run(S3(location).get(key)) is not None


@pytest.fixture(scope="module")
def place(cluster: Cluster, namespace: str, minio: MinIO) -> Iterator[Place]:
    proxy = StoreProxy(minio.port, _address_in_the_lab(cluster))
    with beside(proxy):
        access = {
            "endpoint": proxy.endpoint,
            "region": minio.region,
            "bucket": minio.bucket,
            "access_key_id": minio.access_key,
            "secret_access_key": minio.secret_key,
        }
        ports = f"networkPolicy.storePorts={{{urlsplit(proxy.endpoint).port}}}"
        with installed(cluster, namespace, "sessionCredentials.enabled=true", ports):
            yield Place(replace(cluster, store=access), namespace, proxy)


def _address_in_the_lab(cluster: Cluster) -> str:
    """The address by which the cluster's hosts see this machine: the one that is used towards its store."""
    store = urlsplit(cluster.store["endpoint"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect((store.hostname, store.port))
        address: str = towards.getsockname()[0]
    return address


def test_a_workflow_lives_to_its_end_on_credentials_that_open_its_own_data_alone(place: Place) -> None:
    one, other = place.workflow(steps=20), place.workflow(steps=20)
    one.wait_for_steps()
    (keeper,) = one.pod()["spec"]["initContainers"]
    assert "secretKeyRef" not in json.dumps(keeper)
    keys = place.credentials(one)
    assert one.finish() == []
    assert other.finish() == []
    assert place.read(keys, Layout.of(one.prefix, one.namespace, one.name).current)
    with pytest.raises(StoreDenied):
        place.read(keys, Layout.of(other.prefix, other.namespace, other.name).current)


@pytest.mark.long
def test_the_next_credentials_are_taken_by_keeper_and_litestream_without_a_restart(place: Place) -> None:
    one = place.workflow(steps=2000)
    one.wait_for_steps()
    first, pod = place.credentials(one)["AccessKeyId"], one.pod()["metadata"]["uid"]
    place.cluster.kubectl(
        "--namespace", one.namespace, "patch", "objectstore", "kept", "--type=merge",
        f"--patch={json.dumps({'spec': {'credentials': {'sts': {'durationSeconds': 7200}}}})}",
    )  # fmt: skip
    eventually("others are minted", lambda: place.credentials(one)["AccessKeyId"] != first, seconds=120)
    place.proxy.status, place.proxy.body = 403, EXPIRED
    place.proxy.fail = signed_with(first)
    objects = set(one.stored.epoch_objects())
    # A kubelet brings a changed Secret within about a minute and a half.
    one.wait_for_steps(more=20, seconds=200)
    assert set(one.stored.epoch_objects()) - objects
    assert place.proxy.failed, "the first ones were never refused"
    assert one.pod()["metadata"]["uid"] == pod
    statuses = one.pod()["status"]
    containers = statuses["initContainerStatuses"] + statuses["containerStatuses"]
    assert [each["restartCount"] for each in containers] == [0, 0]
    place.proxy.fail = None
    one.delete()
