"""How do the Containerfiles become images? With Docker where its daemon answers, else with buildah.

Each image ends as an archive in the user's cache under a hash of all that went into it, and is built only once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testcluster import base_image
from testcluster.commands import ClusterError, own_environment, run
from testcluster.folders import cache_folder
from testcluster.kind_cluster import docker_answers
from testcluster.packages import FOR_THE_IMAGES, install
from testcluster.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ("worker", "operator")
EXAMPLES = ("data_pipeline",)
"""Folders of `examples` with a Containerfile that starts from the worker's image."""
SOURCES = ("worker/src", "operator/src", "observer/src", "pyproject.toml", "README.md", "LICENSE")
PUBLIC_BASE = "docker.io/library/python:3.13-slim"
_BUILT_WITHIN_SECONDS = 1200.0
_ARCHIVES_KEPT = 3


def main() -> int:
    """Do what the arguments say; returns the exit code."""
    arguments = _arguments()
    progress = Progress()
    try:
        for name in arguments.images or IMAGES:
            named, archive = build(name, arguments.tag, arguments.base, progress)
            print(named, archive)
            if arguments.load:
                run([str(ROOT / "hack/cluster"), "load", str(archive)], environment=os.environ, seconds=180)
                progress.say(f"{name}: loaded into the test cluster's nodes")
    except ClusterError as failed:
        print(f"hack/images: {failed}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class _Recipe:
    """What an image is made of: a Containerfile, the folder that it copies from, and all files that matter."""

    containerfile: str
    context: str
    inputs: tuple[str, ...]


def _recipe(image: str) -> _Recipe:
    if image in EXAMPLES:
        folder = f"examples/{image}"
        modules = sorted(path.relative_to(ROOT) for path in (ROOT / folder).glob("*.py"))
        containerfile = f"{folder}/Containerfile"
        return _Recipe(containerfile, folder, (containerfile, *map(str, modules)))
    containerfile = f"{image}/Containerfile"
    lists = (f"{image}/requirements.txt", "hack/requirements-build.txt")
    return _Recipe(containerfile, ".", (*SOURCES, containerfile, *lists))


def build(image: str, tag: str | None, base: str | None, progress: Progress) -> tuple[str, Path]:
    """The name and the archive of one image; built unless everything that goes into it was built before."""
    with_docker = docker_answers()
    base, archived_base = _base(image, base, with_docker, progress)
    folder = cache_folder().parent / "images"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = _recipe(image)
    key = _key(image, f"{tag} {base} {archived_base}", recipe.inputs)
    called = f"dormouse-{image.replace('_', '-')}"
    named = f"localhost/{called}:{tag or key}"
    archive = folder / f"{called}-{key}.tar"
    if archive.exists():
        archive.touch()
        return named, archive
    progress.say(f"{image}: built on {base}")
    fresh = archive.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with _pip_settings() as settings:
        options = [f"--build-arg=BASE={base}", f"--secret=id=pip,src={settings}", f"--file={recipe.containerfile}"]
        arguments = [*options, f"--tag={named}", recipe.context]
        if with_docker:
            if archived_base is not None:
                _docker(["load", "--quiet", f"--input={archived_base}"])
            _docker(["build", *arguments])
            _docker(["save", f"--output={fresh}", named])
        else:
            install(FOR_THE_IMAGES, progress)
            _with_buildah(folder / "storage", archived_base, arguments, named, fresh)
    fresh.replace(archive)
    for old in sorted(folder.glob(f"{called}-*.tar"), key=lambda path: path.stat().st_mtime)[:-_ARCHIVES_KEPT]:
        old.unlink()
    progress.say(f"{image}: {archive.stat().st_size >> 20} MiB")
    return named, archive


def _base(image: str, given: str | None, with_docker: bool, progress: Progress) -> tuple[str, Path | None]:
    """What it starts from, and the archive of that if no registry has it."""
    if image in EXAMPLES:
        return build("worker", None, given, progress)
    if given:
        return given, None
    return (PUBLIC_BASE, None) if with_docker else (base_image.NAME, base_image.archive(progress))


def _docker(arguments: Sequence[str]) -> None:
    environment = own_environment(DOCKER_BUILDKIT="1")
    _in_root(["docker", *arguments], environment=environment)


def _with_buildah(storage: Path, base: Path | None, arguments: list[str], name: str, archive: Path) -> None:
    """The layers stay in the user's cache; the mounts end with a mount namespace of their own."""
    with tempfile.TemporaryDirectory(prefix="dormouse-images-") as temporary:
        private = ["unshare", "--mount", "--propagation=private"] if os.geteuid() == 0 else []
        buildah = [*private, "buildah", f"--root={storage}", f"--runroot={temporary}"]
        if base is not None:
            _in_root([*buildah, "pull", "--quiet", f"docker-archive:{base}"])
        # A plain chroot: nothing is downloaded but packages, and no daemon or privilege beyond root is needed.
        how = ["--layers", "--isolation=chroot", "--network=host", *(["--pull-never"] if base else [])]
        _in_root([*buildah, "build", "--quiet", *how, *_certificates(), *arguments])
        _in_root([*buildah, "push", "--quiet", name, f"docker-archive:{archive}:{name}"])


def _in_root(arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        run(arguments, environment=environment, seconds=_BUILT_WITHIN_SECONDS)
    finally:
        os.chdir(before)


@contextmanager
def _pip_settings() -> Iterator[Path]:
    """This machine's settings of pip, for a build that has to download by the same way."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    wanted = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"}:
            wanted[option.removeprefix("default-")] = value.strip("'\"")
    if _certificates():
        wanted["cert"] = _CERTIFICATES_INSIDE
    with tempfile.TemporaryDirectory(prefix="dormouse-pip-") as temporary:
        path = Path(temporary) / "pip.conf"
        path.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in wanted.items()))
        yield path


_CERTIFICATES_INSIDE = "/run/dormouse-certificates.crt"


def _certificates() -> list[str]:
    """Certificates that this machine trusts, where it is told of them by the variables that pip reads."""
    trusted = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    return [f"--volume={trusted}:{_CERTIFICATES_INSIDE}:ro"] if trusted and not docker_answers() else []


def _key(image: str, options: str, inputs: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{image} {options}".encode())
    for given in inputs:
        path = ROOT / given
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hack/images",
        description="Build the container images and print the name and the archive of each. "
        "Archives are kept in the user's cache under a hash of what went into them.",
    )
    known = (*IMAGES, *EXAMPLES)
    parser.add_argument("images", nargs="*", metavar="|".join(known), help="which; worker and operator unless named")
    parser.add_argument("--tag", help="the images' tag (default: the hash of what went into each)")
    parser.add_argument(
        "--base",
        help=f"an image with Python 3.13 to start from (default: {PUBLIC_BASE} with Docker, "
        "else one that `hack/cluster base-image` makes from Debian's packages)",
    )
    parser.add_argument("--load", action="store_true", help="load them into the nodes of the test cluster")
    arguments = parser.parse_args()
    if unknown := set(arguments.images) - set(known):
        parser.error(f"there is no image {min(unknown)!r}; there are {', '.join(known)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
