"""Which process stands in for this container here? Pure but for the reading of this machine's own environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from dormouse_operator.dev.manifests import Key
from dormouse_operator.dev.ports import LOOPBACK

RestartPolicy = Literal["Always", "OnFailure", "Never"]
PodManifest = Mapping[str, Any]

_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")
_PASSED_ON = frozenset({"HOME", "USER", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


class Unrunnable(Exception):
    """This container cannot be started as it is described; the message names the field and the remedy."""


class HttpProbe(Struct, frozen=True):
    """A readiness probe."""

    port: int
    path: str
    period_seconds: float = 10
    timeout_seconds: float = 1
    initial_delay_seconds: float = 0
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True)
class ContainerProcess:
    """What to execute, and how the kubelet would care for it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)  # holds secrets
    working_directory: Path
    log: Path
    termination_message: Path
    restarts: RestartPolicy
    probe: HttpProbe | None = None

    def restarts_after(self, exit_code: int) -> bool:
        """Whether its restart policy wants it to run again."""
        return self.restarts == "Always" or (self.restarts == "OnFailure" and exit_code != 0)


class PodFolder(Struct, frozen=True):
    """Where a pod's files are; the folder is what a node is to a pod: without it, the pod is gone."""

    path: Path

    def volume(self, name: str) -> Path:
        """Stands in for the volume of that name."""
        return self.path / "volumes" / name

    def log(self, container: str) -> Path:
        """Standard output and error of all runs of a container."""
        return self.path / "logs" / f"{container}.log"

    def termination_message(self, container: str) -> Path:
        """What the container says when it ends."""
        return self.path / "termination" / container


class Surroundings(Struct, frozen=True):
    """What a pod finds beside its own manifest."""

    secrets: Mapping[Key, Mapping[str, bytes]]
    config_maps: Mapping[Key, Mapping[str, bytes]]
    modules: Path
    """The folder that stands in for the image."""
    tag: Mapping[str, str] = MappingProxyType({})
    """Added to every environment."""


def sidecars(pod: PodManifest) -> list[dict[str, Any]]:
    """The native sidecars; other init containers are not part of our pod's shape."""
    return [each for each in pod["spec"].get("initContainers", ()) if each.get("restartPolicy") == "Always"]


def mains(pod: PodManifest) -> list[dict[str, Any]]:
    """The containers whose end is the pod's end."""
    return list(pod["spec"]["containers"])


def process_of(
    pod: PodManifest,
    container: Mapping[str, Any],
    folder: PodFolder,
    ports: Mapping[str, int],
    around: Surroundings,
) -> ContainerProcess:
    """The process of one container; raises Unrunnable. `ports` has one for each container."""
    name = container["name"]
    paths = _local_paths(container, folder)
    port = ports[name]
    environment = _machine_environment(around.modules)
    for key, value, is_literal in _variables(pod, container, environment, around):
        environment[key] = _local(value, paths) if is_literal else value
    environment |= {"DORMOUSE_PORT": str(port), "DORMOUSE_HOST": LOOPBACK, **around.tag}
    environment.pop("DORMOUSE_API_TOKEN_FILE", None)  # its Secret is mounted nowhere here, and nobody else gets there
    words = [*container.get("command", ()), *container.get("args", ())]
    if not container.get("command"):
        raise Unrunnable(f"container {name!r} has no command: `dormouse dev` runs no images; give it one")
    command = [_local(_expanded(word, environment), paths) for word in words]
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    restarts = container.get("restartPolicy") or pod["spec"].get("restartPolicy", "Always")
    return ContainerProcess(
        name=name,
        command=tuple(command),
        environment=environment,
        working_directory=_working_directory(container, paths, around),
        log=folder.log(name),
        termination_message=folder.termination_message(name),
        restarts=restarts,
        probe=_probe(container, port),
    )


def _working_directory(container: Mapping[str, Any], paths: list[tuple[str, str]], around: Surroundings) -> Path:
    wanted = container.get("workingDir")
    return around.modules if wanted is None else Path(_local(wanted, paths))


def _local_paths(container: Mapping[str, Any], folder: PodFolder) -> list[tuple[str, str]]:
    """In-container path to path here, the deepest first."""
    paths = {
        container.get("terminationMessagePath", "/dev/termination-log"): folder.termination_message(container["name"])
    }
    for mount in container.get("volumeMounts", ()):
        paths[mount["mountPath"].rstrip("/")] = folder.volume(mount["name"]) / mount.get("subPath", "")
    by_depth = sorted(paths.items(), key=lambda item: len(item[0]), reverse=True)
    return [(inside, str(here)) for inside, here in by_depth]


def _local(value: str, paths: list[tuple[str, str]]) -> str:
    for inside, here in paths:
        if value == inside or value.startswith(f"{inside}/"):
            return here + value[len(inside) :]
    return value


def _machine_environment(modules: Path) -> dict[str, str]:
    """What an image would bring. Little is passed on, so that what works here works in a cluster too."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.lower() in _PROXIES or name.startswith("LC_")
    }
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment["PYTHONPATH"] = str(modules)
    environment["PYTHONUNBUFFERED"] = "1"
    for spelling in ("no_proxy", "NO_PROXY"):
        environment[spelling] = ",".join(filter(None, [environment.get(spelling), LOOPBACK, "localhost"]))
    return environment


def _variables(
    pod: PodManifest, container: Mapping[str, Any], before: Mapping[str, str], around: Surroundings
) -> list[tuple[str, str, bool]]:
    """Name, value, and whether the value was written into the manifest itself."""
    found: list[tuple[str, str, bool]] = []
    known = dict(before)
    for group in container.get("envFrom", ()):
        prefix = group.get("prefix", "")
        for key, content in _whole(group, pod, around).items():
            found.append((prefix + key, _text(content, f"envFrom {key}"), False))
            known[prefix + key] = found[-1][1]
    for entry in container.get("env", ()):
        name = entry["name"]
        if "valueFrom" in entry:
            value = _referenced(entry["valueFrom"], name, pod, around)
            if value is None:
                continue
            found.append((name, value, False))
        else:
            found.append((name, _expanded(entry.get("value", ""), known), True))
        known[name] = found[-1][1]
    return found


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """$(NAME) as Kubernetes expands it: unknown names stay, $$ is one dollar sign."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else known.get(name, match[0])

    return _REFERENCE.sub(one, text)


def _whole(group: Mapping[str, Any], pod: PodManifest, around: Surroundings) -> Mapping[str, bytes]:
    for kind, reference, held in (
        ("Secret", group.get("secretRef"), around.secrets),
        ("ConfigMap", group.get("configMapRef"), around.config_maps),
    ):
        if reference is not None:
            values = held.get((pod["metadata"]["namespace"], reference["name"]))
            if values is None and not reference.get("optional"):
                raise Unrunnable(f"{kind} {reference['name']!r} of envFrom is in no manifest file; add it")
            return values or {}
    raise Unrunnable(f"envFrom {dict(group)} names neither secretRef nor configMapRef")


def _referenced(source: Mapping[str, Any], name: str, pod: PodManifest, around: Surroundings) -> str | None:
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], name, pod)
    for kind, held in (("secretKeyRef", around.secrets), ("configMapKeyRef", around.config_maps)):
        if kind in source:
            wanted = source[kind]
            values = held.get((pod["metadata"]["namespace"], wanted["name"]), {})
            if wanted["key"] in values:
                return _text(values[wanted["key"]], f"env {name}")
            if wanted.get("optional"):
                return None
            what = "Secret" if kind == "secretKeyRef" else "ConfigMap"
            raise Unrunnable(
                f"env {name}: {what} {wanted['name']!r} with the key {wanted['key']!r} is in no manifest file; add it"
            )
    raise Unrunnable(f"env {name}: `dormouse dev` knows no valueFrom {', '.join(source)}; set a value")


def _text(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as binary:
        raise Unrunnable(f"{where} is not text ({binary}); mount it as a volume") from binary


def _field(path: str, name: str, pod: PodManifest) -> str:
    metadata = pod["metadata"]
    plain = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": LOOPBACK,
        "status.hostIP": LOOPBACK,
    }
    if path in plain:
        return str(plain[path])
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str(metadata.get(match[1], {}).get(match[2], ""))
    raise Unrunnable(f"env {name}: `dormouse dev` knows no field {path!r}; it knows {', '.join(plain)}")


def _probe(container: Mapping[str, Any], port: int) -> HttpProbe | None:
    probe = container.get("readinessProbe")
    if probe is None:
        return None
    if "httpGet" not in probe:
        raise Unrunnable(f"container {container['name']!r}: `dormouse dev` knows only httpGet readiness probes")
    return HttpProbe(
        port=port,
        path=probe["httpGet"].get("path", "/"),
        period_seconds=probe.get("periodSeconds", 10),
        timeout_seconds=probe.get("timeoutSeconds", 1),
        initial_delay_seconds=probe.get("initialDelaySeconds", 0),
        success_threshold=probe.get("successThreshold", 1),
        failure_threshold=probe.get("failureThreshold", 3),
    )
