"""Does a new workflow like an old one keep what belongs to both, and nothing that was meant for the old one alone?"""

from __future__ import annotations

import pytest

from dormouse_observer.forked_manifest import NotAlike, forked_manifest, workflow_in

FROM = {"key": "mended.sqlite", "sha256": "0" * 64}
ON_CLUSTER = """\
apiVersion: dormouse.dev/v1alpha1
kind: DurableWorkflow
metadata:
  name: orders
  namespace: shop
  uid: 5f1c
  resourceVersion: "17"
  finalizers: [dormouse.dev/data]
  labels: {team: shop}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
spec:
  image: orders
  entrypoint: orders
  operatingMode: Suspended
  start: {workflow: order}
  storage: {storeRef: {name: kept}, allowEmptyRestore: 3, retentionSeconds: 86400}
  restore: {fromName: older}
status: {phase: Running}
"""


def test_what_belongs_to_both_is_kept_and_the_rest_left_out() -> None:
    assert forked_manifest(workflow_in(ON_CLUSTER), "orders-2", "shop", FROM) == {
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "DurableWorkflow",
        "metadata": {"name": "orders-2", "namespace": "shop", "labels": {"team": "shop"}},
        "spec": {
            "image": "orders",
            "entrypoint": "orders",
            "storage": {"storeRef": {"name": "kept"}, "retentionSeconds": 86400},
            "restore": {"fromObject": FROM},
        },
    }


def test_it_is_found_among_the_documents_of_a_file() -> None:
    store = "apiVersion: dormouse.dev/v1alpha1\nkind: ObjectStore\nmetadata: {name: kept}\n"
    assert workflow_in(f"{store}---\n{ON_CLUSTER}")["metadata"]["name"] == "orders"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no documents of the kind DurableWorkflow"),
        (f"{ON_CLUSTER}---\n{ON_CLUSTER}", "2 documents of the kind DurableWorkflow"),
        ("a: [", "it is no YAML"),
    ],
)
def test_a_file_without_just_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(NotAlike, match=said):
        workflow_in(text)


@pytest.mark.parametrize(
    ("name", "namespace", "text", "said"),
    [
        ("orders", "shop", ON_CLUSTER, "choose another --name"),
        ("orders-2", "bakery", ON_CLUSTER, "is of the namespace 'shop', and --to names 'bakery'"),
        ("Orders 2", "shop", ON_CLUSTER, "name"),
        ("orders-2", "shop", ON_CLUSTER.replace("entrypoint", "entrypiont"), "entrypiont"),
        ("orders-2", "shop", "kind: DurableWorkflow\nspec: 1\n", "no mappings"),
    ],
)
def test_what_could_not_be_applied_is_refused(name: str, namespace: str, text: str, said: str) -> None:
    with pytest.raises(NotAlike, match=said):
        forked_manifest(workflow_in(text), name, namespace, FROM)
