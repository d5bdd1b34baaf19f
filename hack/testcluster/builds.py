"""Which programs must be built, and is the build in the cache still the one for these inputs?"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testcluster.commands import ClusterError, CommandError, own_environment, politely, run
from testcluster.folders import HERE, cache_folder, only_one
from testcluster.progress import Progress

_BUILT_WITHIN_SECONDS = 3600.0
_WORD_EVERY_SECONDS = 30.0
_KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


@dataclass(frozen=True)
class GoProgram:
    """One static binary from a Go module beside this file, with the names it is called by."""

    name: str
    called_as: tuple[str, ...]
    title: str
    cost: str
    flags: tuple[str, ...] = ()
    package: str = "."
    """What is built: the module's own program, or that of a module which it requires."""

    @property
    def source(self) -> Path:
        """The folder of its module."""
        return HERE / self.name

    def inputs(self) -> bytes:
        """All that the binary depends on."""
        sources = sorted(path for path in self.source.iterdir() if path.suffix in {".go", ".mod", ".sum"})
        parts = [*self.flags, _go("env", "GOVERSION", "GOOS", "GOARCH")]
        return b"\0".join([*(part.encode() for part in parts), *(path.read_bytes() for path in sources)])

    def folder(self) -> Path:
        """Where its binary is, or will be."""
        return cache_folder() / f"{self.name}-{hashlib.sha256(self.inputs()).hexdigest()[:16]}"


def required_version(program: str, module: str) -> str:
    """The version of a module that a program's go.mod asks for, as `v1.2.3`."""
    found = re.search(
        rf"^\s*(?:require )?{re.escape(module)} (v\S+)(?: // indirect)?$",
        (HERE / program / "go.mod").read_text(),
        re.MULTILINE,
    )
    if found is None:
        raise ClusterError(f"hack/testcluster/{program}/go.mod does not require {module}")
    return found[1]


def kubernetes_version() -> str:
    """The version of Kubernetes that runs in the lab."""
    return required_version("kubernetes", "k8s.io/kubernetes")


def pause() -> GoProgram:
    """The first process of each pod and each host."""
    return GoProgram("pause", ("pause",), "pause", "a second")


def coredns() -> GoProgram:
    """The cluster's DNS server."""
    version = required_version("coredns", "github.com/coredns/coredns")
    return GoProgram("coredns", ("coredns",), f"CoreDNS {version}", "two minutes")


def kubernetes() -> GoProgram:
    """All of Kubernetes, kubectl with it, in one binary that knows its version."""
    version = kubernetes_version()
    major, minor = version.removeprefix("v").split(".")[:2]
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    told = [f"-X {package}.{name}={value}" for package in packages for name, value in values.items()]
    flags = ("-tags=providerless,selinux_off", f"-ldflags=-s -w {' '.join(told)}")
    cost = "ten minutes and 4 GB of Go's build cache"
    return GoProgram("kubernetes", _KUBERNETES_PROGRAMS, f"Kubernetes {version}", cost, flags)


def helm() -> GoProgram:
    """Helm, which the cluster itself does not need: built when it is first called."""
    version = required_version("helm", "helm.sh/helm/v4")
    flags = (f"-ldflags=-s -w -X helm.sh/helm/v4/internal/version.version={version}",)
    return GoProgram("helm", ("helm",), f"Helm {version}", "two minutes", flags)


def minio() -> GoProgram:
    """The second S3 server, which the cluster itself does not need: some component tests do."""
    return GoProgram("minio", ("minio",), "MinIO", "five minutes", ("-ldflags=-s -w",), "github.com/minio/minio")


def kwok() -> GoProgram:
    """Nodes that only say what a kubelet would say, by the thousand: for measuring the operator."""
    version = required_version("kwok", "sigs.k8s.io/kwok")
    return GoProgram(
        "kwok", ("kwok",), f"kwok {version}", "three minutes", ("-ldflags=-s -w",), "sigs.k8s.io/kwok/cmd/kwok"
    )


def built(program: GoProgram, progress: Progress) -> Path:
    """The folder with the program under each of its names; made when the cache has none for these inputs."""
    folder = program.folder()
    if folder.is_dir():
        return folder
    progress.say(f"{program.title}: building, once ({program.cost})")
    started = time.monotonic()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f"{program.name}.new-") as temporary:
        fresh = Path(temporary) / "bin"
        fresh.mkdir()
        binary = fresh / program.called_as[0]
        _compile(program, binary, progress)
        for other in program.called_as[1:]:
            (fresh / other).symlink_to(binary.name)
        for old in cache_folder().glob(f"{program.name}-*"):
            shutil.rmtree(old)
        fresh.rename(folder)
    progress.say(f"{program.title}: built in {time.monotonic() - started:.0f} s")
    return folder


def called(program: GoProgram, progress: Progress) -> Path:
    """The path that it is called by; built first, when nobody else builds, if the cache has it not."""
    if not program.folder().is_dir():
        with only_one():
            built(program, progress)
    return program.folder() / program.called_as[0]


def _compile(program: GoProgram, binary: Path, progress: Progress) -> None:
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly", *program.flags]
    log = binary.with_name("build.log")
    with log.open("w") as output:
        building = subprocess.Popen(
            politely([*command, "-o", str(binary), program.package]),
            cwd=program.source,
            env=own_environment(CGO_ENABLED="0"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _watch(building, program, log, progress)
        finally:
            if building.poll() is None:
                building.kill()
                building.wait()
    if building.returncode != 0:
        words = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise CommandError(f"{program.title} does not build: {words}")
    log.unlink()


def _watch(building: subprocess.Popen[bytes], program: GoProgram, log: Path, progress: Progress) -> None:
    deadline = time.monotonic() + _BUILT_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            building.wait(timeout=_WORD_EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            packages = sum(1 for line in log.open(errors="replace") if not line.startswith("go: "))
            progress.say(f"{program.title}: {packages} packages compiled")
        else:
            return
    raise ClusterError(f"{program.title} was not built within {_BUILT_WITHIN_SECONDS / 60:.0f} minutes")


def _go(*arguments: str) -> str:
    try:
        return run(["go", *arguments], environment=own_environment())
    except CommandError as failed:
        remedy = "The cluster without Docker is built with Go 1.21 or later, from https://go.dev/dl"
        raise ClusterError(f"{failed}. {remedy}") from failed


def all_programs() -> Sequence[GoProgram]:
    """Everything that `up` needs to have built, the quick ones first."""
    return (pause(), coredns(), kubernetes())
