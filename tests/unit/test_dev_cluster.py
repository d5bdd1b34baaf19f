"""Do applied manifests become the objects that an API server would hold?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dormouse_operator.api import DurableWorkflow, DurableWorkflowStatus, ObjectStore, parse
from dormouse_operator.dev.cluster import Cluster
from dormouse_operator.dev.local_store import needs_local_store, with_local_store
from dormouse_operator.dev.manifests import ManifestError, Manifests
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.dev.state import StateFile

KEY = ("default", "sleeper")


def manifests(image: str = "one", store: str = "local", prefix: str = "a") -> Manifests:
    version = "dormouse.dev/v1alpha1"
    workflow = parse(
        {
            "apiVersion": version,
            "kind": "DurableWorkflow",
            "metadata": {"name": "sleeper"},
            "spec": {"image": image, "storage": {"storeRef": {"name": store}}},
        }
    )
    bucket = parse(
        {
            "apiVersion": version,
            "kind": "ObjectStore",
            "metadata": {"name": "bucket"},
            "spec": {"bucket": "bucket", "prefix": prefix, "credentials": {"secretRef": {"name": "keys"}}},
        }
    )
    assert isinstance(workflow, DurableWorkflow)
    assert isinstance(bucket, ObjectStore)
    return Manifests(workflows={KEY: workflow}, stores={("default", "bucket"): bucket})


def cluster(folder: Path) -> Cluster:
    return Cluster(StateFile.read(folder / "state.json"))


def test_a_first_apply_gives_an_identity_that_stays(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    assert held.apply(manifests()) == []
    first = held.workflow(KEY)
    held.set_status(KEY, DurableWorkflowStatus(epoch=3))
    assert held.apply(manifests()) == []
    assert held.workflow(KEY).metadata.uid == first.metadata.uid
    assert held.workflow(KEY).status.epoch == 3
    assert held.apply(manifests(image="two")) == ["sleeper: the spec changed (generation 2)"]


def test_an_edit_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    held.apply(manifests())
    before = held.workflow(KEY)
    with pytest.raises(ManifestError, match="prefix cannot be changed"):
        held.apply(manifests(image="two", prefix="b"))
    assert held.workflow(KEY) == before
    with pytest.raises(ManifestError, match="storeRef"):
        held.apply(manifests(store="bucket"))
    assert held.workflow(KEY) == before


def test_a_removed_document_stays_and_is_told(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    held.apply(manifests())
    told = held.apply(Manifests())
    assert told == ["sleeper: is not in the files any more; it keeps running until `dormouse dev` ends"]
    assert held.keys == [KEY]
    assert held.store(("default", "bucket")) is not None
    assert held.apply(Manifests()) == []


def test_the_local_store_is_made_where_it_is_named_and_not_defined(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "store", port=9000)
    assert needs_local_store(manifests()) == {"default"}
    assert needs_local_store(manifests(store="bucket")) == set()
    full = with_local_store(manifests(), server)
    assert needs_local_store(full) == set()
    store = full.stores["default", "local"]
    assert store.spec.endpoint == "http://127.0.0.1:9000"
    assert store.spec.path_style
    secret = full.secrets["default", "local"]
    assert secret["secretAccessKey"].decode() == server.secret_key
    assert set(secret) == {"accessKeyId", "secretAccessKey", "endpoint", "bucket", "region"}


def test_the_local_store_may_move_to_another_port(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    held.apply(with_local_store(manifests(), SeaweedFS(tmp_path / "store", port=9000)))
    held.apply(with_local_store(manifests(), SeaweedFS(tmp_path / "store", port=9001)))
    store = held.store(("default", "local"))
    assert store is not None
    assert store.spec.endpoint == "http://127.0.0.1:9001"


def test_a_secret_of_the_name_local_is_not_overwritten(tmp_path: Path) -> None:
    mine = Manifests(workflows=manifests().workflows, secrets={("default", "local"): {"a": b"b"}})
    with pytest.raises(ManifestError, match="rename yours"):
        with_local_store(mine, SeaweedFS(tmp_path / "store", port=9000))


def test_a_planned_config_map_is_held(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    held.apply(manifests())
    held.set_config_map({"metadata": {"name": "sleeper-source", "namespace": "default"}, "data": {"main.py": "pass"}})
    assert held.around(KEY).config_maps["default", "sleeper-source"] == {"main.py": b"pass"}
