"""Do applied manifests become the objects that an API server would hold?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dormouse_operator.api import Condition, DurableWorkflow, DurableWorkflowStatus, ObjectStore, parse
from dormouse_operator.api.durableworkflow import Start
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
    with pytest.raises(ManifestError, match=r"ObjectStore bucket: spec\.prefix cannot be changed: choose"):
        held.apply(manifests(image="two", prefix="b"))
    assert held.workflow(KEY) == before
    with pytest.raises(ManifestError, match="storeRef"):
        held.apply(manifests(store="bucket"))
    assert held.workflow(KEY) == before


def test_an_edit_that_is_refused_names_place_field_and_remedy(tmp_path: Path) -> None:
    def started(until: int) -> Manifests:
        workflow = manifests().workflows[KEY]
        spec = msgspec.structs.replace(workflow.spec, start=Start(workflow="count", input=until))
        changed = msgspec.structs.replace(workflow, spec=spec)
        places = {("DurableWorkflow", KEY): "all.yaml:3"}
        mine = Manifests(workflows={KEY: changed}, places=places)
        return with_local_store(mine, SeaweedFS(tmp_path / "store", port=9000))

    held = Cluster(StateFile.read(tmp_path / ".dormouse" / "state.json"))
    held.apply(started(1))
    with pytest.raises(ManifestError) as refused:
        held.apply(started(2))
    assert str(refused.value) == (
        "all.yaml:3: DurableWorkflow sleeper: spec.start.input cannot be changed: "
        "choose another metadata.name, or, to start all of its workflows from nothing, remove .dormouse"
    )


def test_what_an_earlier_run_found_is_forgotten_but_for_completion(tmp_path: Path) -> None:
    held = cluster(tmp_path)
    held.apply(manifests())
    for kind, stays in (("Stalled", False), ("Completed", True)):
        condition = Condition(type=kind, status="True", reason="Why", message="", last_transition_time="")
        held.set_status(KEY, DurableWorkflowStatus(epoch=3, failures=4, claimed=True, conditions=(condition,)))
        held.forget_verdicts(KEY)
        status = held.workflow(KEY).status
        assert status.is_true(kind) is stays
        assert (status.epoch, status.claimed) == (3, True)
        assert status.failures == (4 if stays else 0)


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
