"""How does the cluster come up where a Docker daemon answers? kind's nodes, and the object store in a container."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from testcluster import partition, store
from testcluster.cluster import kill_container
from testcluster.commands import ClusterError, CommandError, own_environment, politely, run
from testcluster.folders import cache_folder, state_folder
from testcluster.kubectl import Kubectl
from testcluster.lab import STORE_PORT
from testcluster.progress import Progress, wait_until
from testcluster.status import Status

_KIND = "v0.33.0"
# The images that this release of kind was tested with; DORMOUSE_KUBERNETES chooses.
_IMAGES = {
    "1.35": "v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
    "1.36": "v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    "1.37": "v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
}
_BASE_IMAGE = "docker.io/library/python:3.13-slim"
_NAME = "dormouse"
_CONTROL_PLANE = f"{_NAME}-control-plane"
_NODES = (f"{_NAME}-worker", f"{_NAME}-worker2")
_STORE = f"{_NAME}-store"
_STORE_FOLDER = "/var/lib/store"
_STORE_LOG = f"{_STORE_FOLDER}/weed.log"
_NODE_PROGRAMS = ("containerd", "kubelet")
_API_SERVER = "kube-apiserver"
_MANIFEST = f"/etc/kubernetes/manifests/{_API_SERVER}.yaml"
_MANIFEST_ASIDE = f"/etc/kubernetes/{_API_SERVER}.yaml"
_ETCD_KEYS = "/etc/kubernetes/pki/etcd"
_SHAPE = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "nodes": [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}],
}
_MINUTES = 60.0


def docker_answers() -> bool:
    """Whether there is a Docker daemon to talk to."""
    try:
        run(["docker", "info"], seconds=20)
    except CommandError:
        return False
    return True


class KindCluster:
    """The same cluster on kind: it has no host for the control plane alone, and enforces NetworkPolicies."""

    kind = "kind"

    def __init__(self) -> None:
        """Nothing is asked or done before a method is called."""
        self._state = state_folder().with_name("kind-cluster")
        self._store_record = self._state / "store.json"

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as it is on the nodes, so that its version is theirs."""
        return Kubectl(self._state / "kubectl", self._state / "kubeconfig")

    def up(self, progress: Progress) -> None:
        """Return once the nodes are Ready and the store takes requests."""
        if self.status().healthy:
            for node in _NODES:
                self.partition(node, ())
            progress.say("the cluster is up already")
            return
        self.down(progress)
        kind = self._kind(progress)
        image = f"kindest/node:{_IMAGES[self._minor()]}"
        self._state.mkdir(parents=True)
        progress.say(f"creating the cluster from {image}")
        create = [str(kind), "create", "cluster", f"--name={_NAME}", f"--image={image}", "--config=-", "--wait=5m"]
        kubeconfig = f"--kubeconfig={self.kubectl.kubeconfig}"
        run([*create, kubeconfig], text=json.dumps(_SHAPE), seconds=20 * _MINUTES)
        run(["docker", "cp", f"{_CONTROL_PLANE}:/usr/bin/kubectl", str(self.kubectl.program)])
        remedy = "See: hack/cluster kubectl describe nodes"
        wait_until("both nodes are Ready", self._nodes_are_ready, seconds=180, remedy=remedy)
        progress.say("both nodes are Ready")
        address = self._make_store(image)
        remedy = f"See: hack/cluster logs {_STORE}/weed"
        wait_until("the store", lambda: store.create_bucket(address), seconds=60, remedy=remedy)
        progress.say("the cluster is up")

    def down(self, progress: Progress) -> None:
        """Remove the containers and what was written about them."""
        if not self._containers() and not self._state.exists():
            progress.say("no cluster is up")
            return
        if containers := self._containers():
            run(["docker", "rm", "--force", "--volumes", *containers], seconds=2 * _MINUTES)
        if self._state.exists():
            shutil.rmtree(self._state)
        progress.say("the cluster is down")

    def status(self) -> Status:
        """What runs and what is Ready, seen now."""
        nodes = dict(self.kubectl.nodes())
        return Status(
            kind=self.kind,
            kubernetes=_IMAGES[self._minor()].partition("@")[0],
            kubeconfig=self.kubectl.kubeconfig,
            kubectl=self.kubectl.program,
            store=store.StoreAccess.load(self._store_record) if self._store_record.exists() else None,
            components={place: self._runs(place) for place in self.logs()},
            nodes={name: nodes[name] for name in _NODES if name in nodes},
        )

    def load(self, archive: Path) -> None:
        """Import an image archive into every node."""
        load = [str(self._kind(Progress())), "load", "image-archive", str(archive), f"--name={_NAME}"]
        run(load, seconds=5 * _MINUTES)

    def base_image(self, progress: Progress) -> tuple[str, Path]:
        """Python's own image, saved to a file."""
        archive = cache_folder() / "python-3.13-slim.tar"
        if not archive.exists():
            progress.say(f"pulling {_BASE_IMAGE}")
            run(["docker", "pull", "--quiet", _BASE_IMAGE], seconds=10 * _MINUTES)
            cache_folder().mkdir(parents=True, exist_ok=True)
            fresh = archive.with_suffix(".new")
            run(["docker", "save", f"--output={fresh}", _BASE_IMAGE], seconds=5 * _MINUTES)
            fresh.replace(archive)
        return _BASE_IMAGE, archive

    def partition(self, node: str, cut: Sequence[partition.Target]) -> None:
        """Cut a node off from these, and from nothing else."""
        if node not in _NODES:
            raise ClusterError(f"there is no node {node}; there are {', '.join(_NODES)}")
        rules = partition.rules(cut, api=self._address(_CONTROL_PLANE), store=self._address(_STORE))
        run(["docker", "exec", "--interactive", node, "nft", "-f", "-"], text=rules)

    def stop(self, place: str) -> None:
        """End one program; systemd would start a killed one again at once, so it is told."""
        host, program = self._split(place)
        if host == _STORE:
            _inside(host, "pkill", "-KILL", "-x", program)
        elif program == _API_SERVER:
            _inside(host, "mv", _MANIFEST, _MANIFEST_ASIDE)
            # The kubelet may start it once more before it looks at the folder.
            remedy = f"See: hack/cluster logs {host}/{program}"
            wait_until(f"{place} ends", lambda: not self._kill_and_see(place), seconds=60, remedy=remedy)
        else:
            _inside(host, "systemctl", "stop", program)

    def start(self, place: str) -> None:
        """Start one program again."""
        host, program = self._split(place)
        if program == _API_SERVER:
            _inside(host, "sh", "-c", f"! [ -e {_MANIFEST_ASIDE} ] || mv {_MANIFEST_ASIDE} {_MANIFEST}")
        elif host != _STORE:
            _inside(host, "systemctl", "start", program)
        elif not self._runs(place):
            self._start_store()

    def kill(self, node: str, container: str) -> None:
        """SIGKILL the first process of a container, from outside of it."""
        _inside(node, *kill_container(container))

    def compact(self) -> None:
        """Have etcd forget what was, with the program that is in its image."""
        keys = [f"--cacert={_ETCD_KEYS}/ca.crt", f"--cert={_ETCD_KEYS}/server.crt", f"--key={_ETCD_KEYS}/server.key"]
        etcdctl = ["crictl", "exec", _container("etcd"), "etcdctl", *keys]
        told = json.loads(_inside(_CONTROL_PLANE, *etcdctl, "endpoint", "status", "--write-out=json"))
        revision = told[0]["Status"]["header"]["revision"]
        _inside(_CONTROL_PLANE, *etcdctl, "compact", "--physical", str(revision))

    def run(self, node: str, command: Sequence[str]) -> str:
        """What a command prints that is run on a node."""
        return _inside(node, *command)

    def logs(self) -> Sequence[str]:
        """The programs that have a log."""
        nodes = [f"{node}/{program}" for node in _NODES for program in _NODE_PROGRAMS]
        return [*nodes, f"{_CONTROL_PLANE}/{_API_SERVER}", f"{_STORE}/{store.COMPONENT}"]

    def log(self, place: str, lines: int) -> str:
        """The end of one program's log."""
        host, program = self._split(place)
        if host == _STORE:
            return _inside(host, "tail", f"--lines={lines}", _STORE_LOG)
        if program == _API_SERVER:
            return _inside(host, "crictl", "logs", f"--tail={lines}", _container(program))
        return _inside(host, "journalctl", "--no-pager", f"--unit={program}", f"--lines={lines}")

    def _nodes_are_ready(self) -> bool:
        nodes = self.kubectl.nodes()
        return all(nodes.get(name, False) for name in _NODES)

    def _make_store(self, image: str) -> str:
        # kind's image is there already and holds all that SeaweedFS needs, which is nothing.
        mount = f"--volume={store.weed()}:/usr/local/bin/weed:ro"
        run(
            [
                "docker",
                "run",
                "--detach",
                f"--name={_STORE}",
                "--network=kind",
                mount,
                "--entrypoint=sleep",
                image,
                "infinity",
            ]
        )
        address = self._address(_STORE)
        access = store.StoreAccess.fresh(f"http://{address}:{STORE_PORT}")
        access.save(self._store_record)
        folder = self._state / "store"
        store.configure(folder, access)
        run(["docker", "cp", str(folder), f"{_STORE}:{_STORE_FOLDER}"])
        self._start_store()
        return address

    def _start_store(self) -> None:
        serve = store.command(Path(_STORE_FOLDER), self._address(_STORE), STORE_PORT, program="/usr/local/bin/weed")
        settings = [f"--env={name}={value}" for name, value in store.ENVIRONMENT.items()]
        into_log = ["sh", "-c", f'exec "$@" >>{_STORE_LOG} 2>&1', "sh"]
        run(["docker", "exec", "--detach", *settings, _STORE, *into_log, *serve])

    def _runs(self, place: str) -> bool:
        host, program = self._split(place)
        try:
            if host == _STORE or program == _API_SERVER:
                _inside(host, "pgrep", "-x", program)
            else:
                _inside(host, "systemctl", "is-active", program)
        except CommandError:
            return False
        return True

    def _kill_and_see(self, place: str) -> bool:
        host, program = self._split(place)
        with suppress(CommandError):  # it has ended
            _inside(host, "pkill", "-KILL", "-x", program)
        return self._runs(place)

    def _split(self, place: str) -> tuple[str, str]:
        if place not in self.logs():
            raise ClusterError(f"there is no {place}; there are {', '.join(self.logs())}")
        host, _, program = place.partition("/")
        return host, program

    def _minor(self) -> str:
        chosen = os.environ.get("DORMOUSE_KUBERNETES", "1.35")
        if chosen not in _IMAGES:
            raise ClusterError(f"DORMOUSE_KUBERNETES is {chosen}; it may be {', '.join(_IMAGES)}")
        return chosen

    def _containers(self) -> list[str]:
        listed = run(["docker", "ps", "--all", "--format={{.Names}}"]).split()
        return [name for name in listed if name in {_CONTROL_PLANE, *_NODES, _STORE}]

    def _address(self, container: str) -> str:
        template = '{{(index .NetworkSettings.Networks "kind").IPAddress}}'
        return run(["docker", "inspect", f"--format={template}", container]).strip()

    def _kind(self, progress: Progress) -> Path:
        folder = cache_folder() / f"kind-{_KIND}"
        if not (folder / "kind").exists():
            progress.say(f"kind {_KIND}: building, once")
            install = politely(["go", "install", f"sigs.k8s.io/kind@{_KIND}"])
            run(install, environment=own_environment(GOBIN=str(folder)), seconds=20 * _MINUTES)
        return folder / "kind"


def _container(name: str) -> str:
    """The newest of that name on the control plane."""
    return _inside(_CONTROL_PLANE, "crictl", "ps", "--all", "--latest", "--quiet", f"--name=^{name}$").strip()


def _inside(container: str, *command: str) -> str:
    return run(["docker", "exec", container, *command])
