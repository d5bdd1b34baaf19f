"""Is an ObjectStore read once for all that ask, and is every change of it seen?"""

from __future__ import annotations

from dormouse_operator.controller.cache import Cache
from dormouse_operator.controller.read_stores import ReadStores
from dormouse_operator.controller.resources import Document

KEY = ("team", "local")


def document(version: int, bucket: str = "data", uid: str = "one") -> Document:
    return {
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "ObjectStore",
        "metadata": {"namespace": "team", "name": "local", "uid": uid, "resourceVersion": str(version)},
        "spec": {"endpoint": "http://s3.test", "bucket": bucket, "credentials": {"secretRef": {"name": "keys"}}},
    }


def test_all_who_ask_get_the_same_until_it_changes() -> None:
    cache = Cache()
    stores = ReadStores(cache)
    cache.put(document(1))
    first = stores.get(KEY)
    assert first is not None
    assert stores.get(KEY) is first
    cache.put(document(2, bucket="other"))
    second = stores.get(KEY)
    assert second is not None
    assert second.spec.bucket == "other"


def test_one_that_is_gone_or_cannot_be_read_is_none_and_the_next_one_is_seen() -> None:
    cache = Cache()
    stores = ReadStores(cache)
    assert stores.get(KEY) is None
    cache.put(document(1))
    assert stores.get(KEY) is not None
    cache.put({**document(2), "spec": {"bucket": 3}})
    assert stores.get(KEY) is None
    cache.drop(document(3))
    assert stores.get(KEY) is None
    cache.put(document(4, uid="two"))
    found = stores.get(KEY)
    assert found is not None
    assert found.metadata.uid == "two"
