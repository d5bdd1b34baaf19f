"""Which ObjectStore and Secret does `dormouse dev` bring itself, and who needs them?"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from dormouse_operator.api import API_VERSION, ObjectStore, parse
from dormouse_operator.dev.manifests import ManifestError, Manifests
from dormouse_operator.dev.seaweedfs import SeaweedFS

LOCAL = "local"
MADE_HERE = "dormouse.dev/made-by-dormouse-dev"
STORE_ENVIRONMENT = Path("store", "environment")
"""Within `.dormouse`: for a shell that wants to look into the store."""


def needs_local_store(manifests: Manifests) -> set[str]:
    """The namespaces whose workflows name the ObjectStore `local` that no file defines."""
    return {
        key[0]
        for key, workflow in manifests.workflows.items()
        if workflow.spec.storage.store_ref.name == LOCAL and (key[0], LOCAL) not in manifests.stores
    }


def with_local_store(manifests: Manifests, server: SeaweedFS) -> Manifests:
    """Add ObjectStore and Secret `local` to every namespace that needs them."""
    stores, secrets = dict(manifests.stores), dict(manifests.secrets)
    for namespace in needs_local_store(manifests):
        key = (namespace, LOCAL)
        if key in secrets:
            raise ManifestError(
                f"Secret `{LOCAL}` in namespace {namespace}: `dormouse dev` makes one of this name for its own "
                "store; rename yours, or define the ObjectStore `local` too"
            )
        store = parse(_local_store_document(namespace, server))
        assert isinstance(store, ObjectStore)  # noqa: S101 - that is its kind
        stores[key] = store
        values = {
            "accessKeyId": server.access_key,
            "secretAccessKey": server.secret_key,
            "endpoint": server.endpoint,
            "bucket": server.bucket,
            "region": server.region,
        }
        secrets[key] = {name: value.encode() for name, value in values.items()}
    return replace(manifests, stores=stores, secrets=secrets)


def write_environment(file: Path, server: SeaweedFS) -> None:
    """What `dormouse pull` and every other S3 client take from the environment, as a file that a shell can read."""
    values = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_REGION": server.region,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
    }
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        opened.write(lines)


def _local_store_document(namespace: str, server: SeaweedFS) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ObjectStore",
        "metadata": {"name": LOCAL, "namespace": namespace, "annotations": {MADE_HERE: "true"}},
        "spec": {
            "endpoint": server.endpoint,
            "region": server.region,
            "bucket": server.bucket,
            "pathStyle": True,
            "credentials": {"secretRef": {"name": LOCAL}},
        },
    }
