"""What would a person apply to have a new workflow like an old one, which begins with a file? Pure.

Not taken over is what is meant for the old one alone: how its own data began or was given up, that it rests, and which
execution it starts, since what the file holds is what runs.
"""

from __future__ import annotations

from typing import Any

import yaml

from dormouse.errors import DormouseError
from dormouse_operator.api import InvalidManifest, parse

Document = dict[str, Any]
_OF_THE_OLD_ONE = frozenset({"restore", "start", "operatingMode"})
_OF_ITS_DATA = frozenset({"takeOverFrom", "allowEmptyRestore"})


class NotAlike(DormouseError):
    """There is no manifest to go by, or nothing that could be applied comes of it; the message says why."""


def workflow_in(text: str) -> Document:
    """The DurableWorkflow of a file with one, or of what `kubectl get -o yaml` prints.

    Raises:
        NotAlike: when there is none, or several.
    """
    try:
        found = [
            one for one in yaml.safe_load_all(text) if isinstance(one, dict) and one.get("kind") == "DurableWorkflow"
        ]
    except yaml.YAMLError as error:
        raise NotAlike(f"it is no YAML: {' '.join(str(error).split())}") from error
    if len(found) != 1:
        raise NotAlike(f"it has {len(found) or 'no'} documents of the kind DurableWorkflow; give it the one to go by")
    return dict(found[0])


def forked_manifest(old: Document, name: str, namespace: str, from_object: Document) -> Document:
    """The new one.

    Raises:
        NotAlike: when the old one is not valid, has this name, or is of another namespace.
    """
    metadata, spec = old.get("metadata") or {}, old.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise NotAlike("its metadata and its spec are no mappings")
    if metadata.get("name") == name:
        raise NotAlike(f"it is of {name!r} itself, which goes on as it is; choose another --name")
    if (of := metadata.get("namespace", namespace)) != namespace:
        raise NotAlike(f"it is of the namespace {of!r}, and --to names {namespace!r}: imports are for one namespace")
    kept = {key: value for key, value in spec.items() if key not in _OF_THE_OLD_ONE}
    if isinstance(spec.get("storage"), dict):
        kept["storage"] = {key: value for key, value in spec["storage"].items() if key not in _OF_ITS_DATA}
    labels = {"labels": metadata["labels"]} if metadata.get("labels") else {}
    made = {
        "apiVersion": old.get("apiVersion"),
        "kind": "DurableWorkflow",
        "metadata": {"name": name, "namespace": namespace, **labels},
        "spec": {**kept, "restore": {"fromObject": from_object}},
    }
    try:
        parse(made)
    except InvalidManifest as invalid:
        raise NotAlike(str(invalid)) from invalid
    return made
