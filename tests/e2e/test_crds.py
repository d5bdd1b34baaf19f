"""Does a real API server take and refuse the manifests that `parse` takes and refuses?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.installed_operator import install_definitions
from e2e.running_cluster import Cluster
from unit.operator_api.test_api_manifests import BAD, BAD_UPDATES, GOOD
from unit.operator_samples import document

pytestmark = pytest.mark.own_namespace

DRY = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--filename=-")
NAMES = ("durableworkflows.dormouse.dev", "objectstores.dormouse.dev")


@pytest.fixture(scope="module", autouse=True)
def crds(cluster: Cluster) -> None:
    """The definitions as they are in this tree; left in place, since other tests want them too."""
    install_definitions()
    for name in NAMES:
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")


@pytest.fixture(scope="module")
def existing(cluster: Cluster, namespace: str) -> Iterator[None]:
    """One object of each kind, to be changed."""
    made = [placed(document(kind), namespace) for kind in ("DurableWorkflow", "ObjectStore")]
    cluster.apply(*made)
    yield
    for each in made:
        cluster.kubectl("delete", "--filename=-", document=each)


def placed(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The manifest as a person would send it, to this namespace."""
    if isinstance(manifest.get("metadata"), dict):
        kept = {key: value for key, value in manifest["metadata"].items() if key not in {"uid", "generation"}}
        manifest["metadata"] = {**kept, "namespace": namespace}
    return manifest


def test_the_api_server_finds_nothing_wrong_with_the_definitions(cluster: Cluster) -> None:
    for name in NAMES:
        conditions = cluster.get("crd", name)["status"]["conditions"]
        assert {each["type"]: each["status"] for each in conditions} == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize(("kind", "changes"), GOOD)
def test_the_api_server_takes_a_good_manifest(
    kind: str, changes: dict[str, Any], cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl(*DRY, document=placed(document(kind, changes), namespace))


@pytest.mark.parametrize(("kind", "changes"), [bad[:2] for bad in BAD])
def test_the_api_server_refuses_a_bad_manifest(
    kind: str, changes: dict[str, Any], cluster: Cluster, namespace: str
) -> None:
    refused = cluster.try_kubectl(*DRY, document=placed(document(kind, changes), namespace))
    assert refused.returncode != 0


@pytest.mark.parametrize(("kind", "changes", "words"), BAD_UPDATES)
@pytest.mark.usefixtures("existing")
def test_the_api_server_refuses_to_change_what_is_fixed_for_good(
    kind: str, changes: dict[str, Any], words: str, cluster: Cluster, namespace: str
) -> None:
    # Replaced, not applied: what an apply leaves out may belong to somebody else, and then stays.
    replace = ("replace", "--dry-run=server", "--validate=strict", "--filename=-")
    refused = cluster.try_kubectl(*replace, document=placed(document(kind, changes), namespace))
    assert refused.returncode != 0
    assert words in refused.stderr
