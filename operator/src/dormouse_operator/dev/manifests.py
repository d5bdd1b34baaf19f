"""What do the manifest files say? Every document typed, or one error that names file, line and remedy."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from dormouse_operator.api import DurableWorkflow, InvalidManifest, ObjectStore, parse

Key = tuple[str, str]
"""Namespace and name."""

_OURS = ("DurableWorkflow", "ObjectStore")
_CORE = ("Secret", "ConfigMap")


class ManifestError(Exception):
    """A file that cannot be applied: where, what, and what to write instead."""


@dataclass(frozen=True)
class Manifests:
    """All documents of all files. Values of Secrets and ConfigMaps are bytes, as a container sees them."""

    workflows: Mapping[Key, DurableWorkflow] = field(default_factory=dict)
    stores: Mapping[Key, ObjectStore] = field(default_factory=dict)
    secrets: Mapping[Key, Mapping[str, bytes]] = field(default_factory=dict)
    config_maps: Mapping[Key, Mapping[str, bytes]] = field(default_factory=dict)
    folders: Mapping[Key, Path] = field(default_factory=dict)
    """Where each workflow's manifest lies: the user's modules are looked for there."""
    places: Mapping[tuple[str, Key], str] = field(default_factory=dict)
    """File and line of each document, by kind and key."""


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    namespace: str = "default"


class _Secret(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: _Metadata
    type: str = "Opaque"
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}
    immutable: bool = False


class _ConfigMap(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: _Metadata
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}
    immutable: bool = False


@dataclass(frozen=True)
class _Document:
    path: Path
    line: int
    content: Any

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def load(paths: Sequence[Path]) -> Manifests:
    """Read the files in order. Raises ManifestError for the first thing that is wrong."""
    loaded: dict[str, dict[Key, Any]] = {kind: {} for kind in (*_OURS, *_CORE)}
    seen: dict[tuple[str, Key], _Document] = {}
    folders: dict[Key, Path] = {}
    for document in _documents(paths):
        kind, key, value = _typed(document)
        if (earlier := seen.get((kind, key))) is not None:
            raise ManifestError(
                f"{document}: {kind} {key[1]} in namespace {key[0]} is already defined at {earlier}; remove one"
            )
        seen[kind, key] = document
        loaded[kind][key] = value
        if kind == "DurableWorkflow":
            folders[key] = document.path.absolute().parent
    if not loaded["DurableWorkflow"]:
        named = ", ".join(str(path) for path in paths)
        raise ManifestError(f"{named}: no document of kind DurableWorkflow; there is nothing to run")
    return Manifests(
        workflows=loaded["DurableWorkflow"],
        stores=loaded["ObjectStore"],
        secrets=loaded["Secret"],
        config_maps=loaded["ConfigMap"],
        folders=folders,
        places={defined: str(document) for defined, document in seen.items()},
    )


def _documents(paths: Sequence[Path]) -> Iterator[_Document]:
    import yaml

    # The C parser is ten times faster; PyYAML is built without it where libyaml is missing.
    loader_type: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in paths:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as unreadable:
            raise ManifestError(f"{path}: cannot be read: {unreadable}") from unreadable
        try:
            loader = loader_type(text)
            while loader.check_node():
                node = loader.get_node()
                content = loader.construct_document(node)
                if content is not None:
                    yield _Document(path, node.start_mark.line + 1, content)
        except (yaml.YAMLError, ValueError) as malformed:
            mark = getattr(malformed, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
            why = getattr(malformed, "problem", None) or malformed
            raise ManifestError(f"{where}: is not YAML: {why}") from malformed


def _typed(document: _Document) -> tuple[str, Key, Any]:
    content = document.content
    if not isinstance(content, dict):
        raise ManifestError(f"{document}: a manifest is a mapping with apiVersion and kind")
    kind = content.get("kind")
    try:
        if kind == "Secret":
            secret = msgspec.convert(content, _Secret)
            values = _decoded(secret.data, "data") | _encoded(secret.string_data)
            return kind, (secret.metadata.namespace, secret.metadata.name), values
        if kind == "ConfigMap":
            config_map = msgspec.convert(content, _ConfigMap)
            values = _encoded(config_map.data) | _decoded(config_map.binary_data, "binaryData")
            return kind, (config_map.metadata.namespace, config_map.metadata.name), values
        if kind not in _OURS and not str(content.get("apiVersion")).startswith("dormouse.dev/"):
            known = ", ".join((*_OURS, *_CORE))
            if kind is None:
                raise ManifestError(f"{document}: there is no `kind`; `dormouse dev` knows {known}")
            raise ManifestError(f"{document}: `dormouse dev` runs no {kind!r}; it knows {known}")
        parsed = parse(content)
    except InvalidManifest as invalid:
        raise ManifestError(f"{document}: {invalid}") from invalid
    except msgspec.ValidationError as invalid:
        raise ManifestError(f"{document}: {kind}: {invalid}") from invalid
    return type(parsed).__name__, (parsed.metadata.namespace, parsed.metadata.name), parsed


def _encoded(data: Mapping[str, str]) -> dict[str, bytes]:
    return {key: value.encode() for key, value in data.items()}


def _decoded(data: Mapping[str, str], where: str) -> dict[str, bytes]:
    decoded = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError) as malformed:
            raise msgspec.ValidationError(
                f"{where}.{key} is not base64 ({malformed}); plain text goes under stringData"
            ) from malformed
    return decoded
