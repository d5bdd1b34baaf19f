"""Is it found where a workflow's data is, and said what is missing?"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from dormouse.cluster.kubectl import Kubectl
from dormouse.replica.layout import Layout
from dormouse_observer.whereabouts import NotFound, Reach, by_name, by_url
from dormouse_operator.store.url import InvalidURL

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
REACH = Reach()
STORE: dict[str, Any] = {
    "bucket": "kept",
    "endpoint": "http://store:9000",
    "prefix": "production",
    "pathStyle": True,
    "credentials": {"secretRef": {"name": "keys", "accessKeyIdKey": "id"}},
    "caBundle": {"configMapRef": {"name": "ca"}},
}
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("durableworkflows.dormouse.dev", "orders"): {
        "metadata": {"namespace": "shop"},
        "spec": {"storage": {"storeRef": {"name": "default"}}},
        "status": {"image": "orders:1"},
    },
    ("objectstores.dormouse.dev", "default"): {
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "ObjectStore",
        "metadata": {"name": "default", "namespace": "shop", "uid": "1"},
        "spec": STORE,
        "status": {"conditions": "not asked for"},
    },
    ("secret", "keys"): {
        "data": {"id": base64.b64encode(b"me").decode(), "secretAccessKey": base64.b64encode(b"secret").decode()}
    },
    ("configmap", "ca"): {"data": {"ca.crt": "PEM"}},
}


class Cluster(Kubectl):
    def get(self, kind: str, name: str) -> dict[str, Any]:
        assert kind.startswith("durableworkflows") or self.namespace == "shop"
        return OBJECTS[kind, name]


KUBECTL = Cluster()


def test_a_url_names_bucket_prefix_namespace_and_name() -> None:
    found = by_url("s3://kept/a/b/shop/orders", Reach(endpoint="http://localhost:9000"), KEYS)
    assert found.layout == Layout.of("a/b", "shop", "orders")
    assert (found.location.bucket, found.location.endpoint) == ("kept", "http://localhost:9000")
    assert by_url("s3://kept/shop/orders/", REACH, KEYS).layout == Layout.of("", "shop", "orders")


@pytest.mark.parametrize("url", ["s3://kept", "s3://kept/orders", "s3://kept/shop/", "s3://kept/a/.imports/x.db"])
def test_a_url_that_names_no_workflow_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL, match="names no workflow; write s3://BUCKET/"):
        by_url(url, REACH, KEYS)


@pytest.mark.parametrize("url", ["s3://", "http://localhost:9000/kept/shop/orders", "file:///tmp/orders"])
def test_what_names_no_bucket_is_refused_with_where_the_address_goes(url: str) -> None:
    with pytest.raises(InvalidURL, match=r"names no bucket; write s3://BUCKET/\[PREFIX/\]NAMESPACE/NAME.*--endpoint"):
        by_url(url, REACH, KEYS)


def test_without_keys_it_is_said_which_variables_hold_them() -> None:
    with pytest.raises(InvalidURL, match="export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        by_url("s3://kept/shop/orders", REACH, {})


def test_for_a_name_the_cluster_says_all(tmp_path: Path) -> None:
    found = by_name("orders", REACH, tmp_path / "ca.pem", KUBECTL)
    assert (found.namespace, found.name, found.image) == ("shop", "orders", "orders:1")
    assert found.layout == Layout.of("production", "shop", "orders")
    location = found.location
    assert (location.bucket, location.endpoint, location.path_style) == ("kept", "http://store:9000", True)
    assert (location.access_key_id, location.secret_access_key) == ("me", "secret")
    assert Path(location.ca_bundle).read_text() == "PEM"


def test_the_way_there_may_be_another_from_here(tmp_path: Path) -> None:
    reach = Reach(endpoint="https://outside", path_style=False, ca_bundle=tmp_path / "mine.pem")
    location = by_name("orders", reach, tmp_path / "ca.pem", KUBECTL).location
    assert (location.endpoint, location.path_style, location.bucket) == ("https://outside", False, "kept")
    assert location.ca_bundle == str(tmp_path / "mine.pem")


def test_a_key_that_the_secret_lacks_is_named(tmp_path: Path) -> None:
    class Without(Cluster):
        def get(self, kind: str, name: str) -> dict[str, Any]:
            return {"data": {}} if kind == "secret" else super().get(kind, name)

    with pytest.raises(NotFound, match="Secret keys in namespace shop has no key 'id'"):
        by_name("orders", REACH, tmp_path / "ca.pem", Without())
