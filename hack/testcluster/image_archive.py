"""How do a few files become an image that a container runtime imports, without a registry or a build tool?"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer_of(files: Mapping[str, Path]) -> bytes:
    """A layer that holds these programs, each at its path; the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for path, source in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode = 0o755
            entry.size = source.stat().st_size
            with source.open("rb") as content:
                layer.addfile(entry, content)
    return buffer.getvalue()


def write_image(
    archive: Path,
    name: str,
    layer: bytes,
    *,
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> None:
    """Write the archive that `docker save` would have written for an image of one layer."""
    digest = hashlib.sha256(layer).hexdigest()
    settings: dict[str, Any] = {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Env": list(environment), "Entrypoint": list(entrypoint), "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        # buildah refuses to build on an image whose history does not tell of its layer.
        "history": [{"created_by": "dormouse"}],
    }
    config = json.dumps(settings).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{digest}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]).encode()
    fresh = archive.with_suffix(".new")
    with tarfile.open(fresh, mode="w") as image:
        for path, content in ((config_name, config), (layer_name, layer), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            image.addfile(entry, io.BytesIO(content))
    fresh.replace(archive)
