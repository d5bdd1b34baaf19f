"""Which folders stand in for a pod's volumes?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dormouse_operator.dev.container import PodFolder, PodManifest, Surroundings, Unrunnable


def make_volumes(pod: PodManifest, folder: PodFolder, around: Surroundings) -> None:
    """Make what is missing, fill ConfigMaps and Secrets anew; an emptyDir keeps what it holds."""
    for part in ("volumes", "logs", "termination"):
        (folder.path / part).mkdir(parents=True, exist_ok=True)
    for volume in pod["spec"].get("volumes", ()):
        files = _files(volume, pod["metadata"]["namespace"], around)
        target = folder.volume(volume["name"])
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(target / name, content, private="secret" in volume)


def _files(volume: Mapping[str, Any], namespace: str, around: Surroundings) -> Mapping[str, bytes]:
    if "emptyDir" in volume:
        return {}
    for kind, name_field, held in (
        ("configMap", "name", around.config_maps),
        ("secret", "secretName", around.secrets),
    ):
        if kind in volume:
            source = volume[kind]
            found = held.get((namespace, source[name_field]))
            if found is None and not source.get("optional"):
                raise Unrunnable(
                    f"volume {volume['name']!r}: {kind} {source[name_field]!r} is in no manifest file; add it"
                )
            return _selected(found or {}, source, volume["name"])
    kinds = ", ".join(key for key in volume if key != "name")
    raise Unrunnable(
        f"volume {volume['name']!r}: `dormouse dev` knows no {kinds}; it knows emptyDir, configMap and secret"
    )


def _selected(values: Mapping[str, bytes], source: Mapping[str, Any], volume: str) -> Mapping[str, bytes]:
    if "items" not in source:
        return values
    for item in source["items"]:
        if item["key"] not in values and not source.get("optional"):
            raise Unrunnable(f"volume {volume!r}: the key {item['key']!r} is missing; it has {', '.join(values)}")
    return {item["path"]: values[item["key"]] for item in source["items"] if item["key"] in values}


def _write(path: Path, content: bytes, *, private: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600 if private else 0o644)
    fresh.write_bytes(content)
    fresh.replace(path)
