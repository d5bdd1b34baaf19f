"""Where is a workflow's data? A URL says it; for a name the cluster of kubectl is asked. Nothing here writes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from dormouse.cluster.kubectl import Kubectl
from dormouse.errors import DormouseError
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location
from dormouse_operator.api import ObjectStore
from dormouse_operator.store.url import InvalidURL, located

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_STORES = "objectstores.dormouse.dev"


class NotFound(DormouseError):
    """Nobody knows where the data is; the message says what was looked for, and where."""


@dataclass(frozen=True)
class Whereabouts:
    """The data of one workflow, and what its pod ran with, where that is known."""

    location: Location
    layout: Layout
    namespace: str
    name: str
    image: str | None = None


@dataclass(frozen=True)
class Reach:
    """How the store is reached from here, where that differs from what the cluster's pods do."""

    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: Path | None = None


def by_url(url: str, reach: Reach, environment: Mapping[str, str]) -> Whereabouts:
    """`s3://BUCKET/[PREFIX/]NAMESPACE/NAME`, with the keys of the environment.

    Raises:
        InvalidURL: when it names no workflow, or there are no keys.
    """
    if not url.startswith("s3://") or url == "s3://":
        raise InvalidURL(
            f"{url!r} names no bucket; write s3://BUCKET/[PREFIX/]NAMESPACE/NAME, and the store's address as --endpoint"
        )
    place = located(url, reach.endpoint, reach.region, reach.path_style, reach.ca_bundle, environment)
    *prefix, namespace, name = place.prefix.split("/") if place.prefix.count("/") else ("", "", "")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise InvalidURL(f"{url!r} names no workflow; write s3://BUCKET/[PREFIX/]NAMESPACE/NAME")
    return Whereabouts(place.location, Layout.of("/".join(prefix), namespace, name), namespace, name)


def by_name(name: str, reach: Reach, ca_file: Path, kubectl: Kubectl) -> Whereabouts:
    """What the DurableWorkflow, its ObjectStore and their Secret say; certificates are written to `ca_file`.

    Raises:
        ClusterError: when one of them is missing, or may not be read.
        NotFound: when the Secret lacks a key.
    """
    workflow = kubectl.workflow(name)
    namespace = str(workflow["metadata"]["namespace"])
    kubectl = kubectl.within(namespace)
    found = kubectl.get(_STORES, workflow["spec"]["storage"]["storeRef"]["name"])
    spec = msgspec.convert({key: found[key] for key in ("apiVersion", "kind", "metadata", "spec")}, ObjectStore).spec
    secret = spec.credentials.secret_ref
    values = kubectl.get("secret", secret.name).get("data", {})
    keys = []
    for key in (secret.access_key_id_key, secret.secret_access_key_key):
        if key not in values:
            raise NotFound(f"Secret {secret.name} in namespace {namespace} has no key {key!r}")
        keys.append(base64.b64decode(values[key]).decode())
    bundle = reach.ca_bundle
    if bundle is None and spec.ca_bundle is not None:
        config_map = spec.ca_bundle.config_map_ref
        ca_file.write_text(kubectl.get("configmap", config_map.name).get("data", {}).get(config_map.key, ""))
        bundle = ca_file
    location = Location(
        bucket=spec.bucket,
        endpoint=spec.endpoint,
        region=spec.region,
        path_style=spec.path_style,
        access_key_id=keys[0],
        secret_access_key=keys[1],
        ca_bundle=str(bundle or ""),
    )
    return Whereabouts(
        _reached(location, reach),
        Layout.of(spec.prefix, namespace, name),
        namespace,
        name,
        workflow.get("status", {}).get("image"),
    )


def _reached(location: Location, reach: Reach) -> Location:
    given = {"endpoint": reach.endpoint, "region": reach.region, "path_style": reach.path_style}
    return replace(location, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type] # each of its type
