"""How does the cluster without Docker come up and go? Four hosts made of namespaces, each step checked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from testcluster import (
    base_image,
    builds,
    certificates,
    control_plane,
    hosts,
    kernel,
    network,
    node,
    packages,
    partition,
    store,
)
from testcluster.cluster import kill_container
from testcluster.commands import ClusterError, plain_environment, run
from testcluster.folders import HERE, log_file, state_folder
from testcluster.image_archive import layer_of, write_image
from testcluster.kubectl import Kubectl
from testcluster.lab import CONTROL_PLANE, HOSTS, NODES, STORE, STORE_ENDPOINT, STORE_PORT, Host
from testcluster.progress import Progress, wait_until
from testcluster.status import Status

_DNS_IMAGE = "localhost/dormouse-coredns:1"
_READY_WITHIN_SECONDS = 180.0
_MENDED_WITHIN_SECONDS = 60.0


class NamespacesCluster:
    """The real parts of Kubernetes on two nodes of one machine, with the object store on a third."""

    kind = "namespaces"

    def __init__(self) -> None:
        """Nothing is asked or done before a method is called."""
        self._state = state_folder()
        self._authority = certificates.Authority(self._state / "pki")
        self._programs_record = self._state / "programs.json"
        self._kernel_record = self._state / "kernel.json"
        self._store_record = self._state / "store.json"
        # There once `up` came to its end: what is down now ran then.
        self._complete = self._state / "complete"

    def up(self, progress: Progress) -> None:
        """Return once both nodes are Ready, names resolve and the store takes requests."""
        _ask_for_root()
        packages.install(packages.FOR_THE_CLUSTER, progress)
        wanted = {program.name: str(program.folder()) for program in builds.all_programs()}
        if self._recorded_programs() == wanted and self._mend(progress):
            progress.say("the cluster is up already")
            return
        if self._remains():
            progress.say("removing what an earlier cluster left")
            self.down(progress)
        for program in builds.all_programs():
            builds.built(program, progress)
        self._state.mkdir(parents=True)
        self._programs_record.write_text(json.dumps(wanted, indent=2))
        self._make_hosts(progress)
        self._start_everything(progress)
        self._complete.touch()
        progress.say("the cluster is up")

    def down(self, progress: Progress) -> None:
        """End everything, and leave nothing of it on the machine; builds stay in the cache."""
        if not self._remains():
            progress.say("no cluster is up")
            return
        _ask_for_root()
        hosts.end(list(hosts.running().values()))
        network.disconnect()
        for each in NODES:
            remedy = f"A process is left in a control group named {each.cgroup} below /sys/fs/cgroup"
            gone = partial(node.remove_cgroups, each)
            wait_until("the nodes' control groups go", gone, seconds=60, remedy=remedy)
        kernel.restore(self._kernel_record)
        if self._state.exists():
            shutil.rmtree(self._state)
            with suppress(OSError):  # something else is in there
                self._state.parent.rmdir()
        progress.say("the cluster is down")

    def status(self) -> Status:
        """What runs and what is Ready, seen now."""
        running = hosts.running()
        nodes = self.kubectl.nodes()
        components = {}
        for host in HOSTS:
            for name, command in self._commands(host).items():
                at = running.get(host.name)
                components[f"{host.name}/{name}"] = at is not None and bool(at.pids_of(command[0]))
        return Status(
            kind=self.kind,
            kubernetes=builds.kubernetes_version(),
            kubeconfig=self.kubectl.kubeconfig,
            kubectl=self.kubectl.program,
            store=store.StoreAccess.load(self._store_record) if self._store_record.exists() else None,
            components=components,
            nodes={name: ready for name, ready in nodes.items() if name in {each.name for each in NODES}},
        )

    @property
    def kubectl(self) -> Kubectl:
        """kubectl of the same build as everything else."""
        return Kubectl(self._program("kubernetes") / "kubectl", self._authority.kubeconfig("admin"))

    def load(self, archive: Path) -> None:
        """Import an image archive into both nodes."""
        self._load_into_nodes([archive])

    def base_image(self, progress: Progress) -> tuple[str, Path]:
        """The name and the archive of an image with Python, made from Debian's packages."""
        return base_image.NAME, base_image.archive(progress)

    def partition(self, name: str, cut: Sequence[partition.Target]) -> None:
        """Cut a node off from these, and from nothing else; from nothing heals it."""
        rules = partition.rules(cut, api=CONTROL_PLANE.address, store=STORE.address)
        run(self._node(name).network_command(["nft", "-f", "-"]), text=rules)

    def stop(self, place: str) -> None:
        """Kill one program, as a crash would."""
        host, command = self._component(place)
        for pid in host.pids_of(command[0]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        remedy = "It hangs in the kernel."
        wait_until(f"{place} ends", lambda: not host.pids_of(command[0]), seconds=30, remedy=remedy)

    def start(self, place: str) -> None:
        """Start one program again, if it does not run."""
        host, command = self._component(place)
        if not host.pids_of(command[0]):
            self._start(host, place.partition("/")[2], command)

    def kill(self, name: str, container: str) -> None:
        """SIGKILL the first process of a container, from outside of it."""
        self._node(name).run(kill_container(container))

    def compact(self) -> None:
        """Have etcd forget what was, on the network of the control plane, where it listens."""
        command = [sys.executable, str(HERE / "etcd_history.py"), control_plane.Etcd().url]
        run(self._running(CONTROL_PLANE.name).network_command(command), environment=plain_environment())

    def run(self, name: str, command: Sequence[str]) -> str:
        """What a command prints that is run on a node."""
        return self._node(name).run(command)

    def logs(self) -> Sequence[str]:
        """The programs that have a log."""
        places = [(host.name, name) for host in HOSTS for name in self._commands(host)]
        return [f"{host}/{name}" for host, name in places if log_file(host, name).exists()]

    def log(self, place: str, lines: int) -> str:
        """The end of one program's log."""
        if place not in self.logs():
            raise ClusterError(f"there is no log of {place}; there are {', '.join(self.logs()) or 'none'}")
        host, _, name = place.partition("/")
        return "\n".join(log_file(host, name).read_text(errors="replace").splitlines()[-lines:])

    def _mend(self, progress: Progress) -> bool:
        """Keep a cluster that once was up: heal partitions, start what ended. No when that does not help."""
        if not (self._complete.exists() and hosts.running().keys() == {host.name for host in HOSTS}):
            return False
        for each in NODES:
            self.partition(each.name, ())
        for place, runs in self.status().components.items():
            if not runs:
                progress.say(f"starting {place} again")
                self.start(place)

        def heals() -> bool:
            return self.status().healthy and store.create_bucket(STORE.address)

        try:
            wait_until("the cluster heals", heals, seconds=_MENDED_WITHIN_SECONDS, remedy="")
        except ClusterError as failed:
            progress.say(str(failed).strip())
            return False
        return True

    def _make_hosts(self, progress: Progress) -> None:
        kernel.prepare(self._kernel_record)
        self._authority.create()
        pause = self._program("pause") / "pause"
        running = {host.name: hosts.boot(host, pause) for host in HOSTS}
        network.connect(running)
        progress.say(f"hosts {', '.join(running)} are connected")

    def _start_everything(self, progress: Progress) -> None:
        running = hosts.running()
        access = store.StoreAccess.fresh(STORE_ENDPOINT)
        access.save(self._store_record)
        store.configure(self._folder(STORE), access)
        for each in NODES:
            node.configure(each, self._folder(each), self._authority)
            node.make_cgroups(each)
            node.hide_unified_cgroups(running[each.name])
            self._start_component(running, each, "containerd")
        for host in (CONTROL_PLANE, STORE):
            for name in self._commands(host):
                self._start_component(running, host, name)
        for each in NODES:
            node.wait_for_containerd(running[each.name])
        self._load_into_nodes(self._write_images())
        remedy = "Its log: hack/cluster logs cp/kube-apiserver"
        ready = _READY_WITHIN_SECONDS
        wait_until("the API server", self.kubectl.api_is_ready, seconds=ready, remedy=remedy)
        progress.say("the API server is ready")
        for each in NODES:
            self._start_component(running, each, "kubelet")
            self._start_component(running, each, "kube-proxy")
        self.kubectl("apply", *(f"--filename={HERE / name}.yaml" for name in ("cluster-dns", "runtime-classes")))
        wait_until(
            "the store",
            lambda: store.create_bucket(STORE.address),
            seconds=ready,
            remedy="hack/cluster logs store/weed",
        )
        progress.say("the store is ready")
        wait_until("both nodes are Ready", lambda: self.status().healthy, seconds=ready, remedy="hack/cluster status")
        progress.say("both nodes are Ready")
        self.kubectl("--namespace=kube-system", "rollout", "status", "daemonset/coredns", seconds=ready)

    def _write_images(self) -> list[Path]:
        folder = self._state / "images"
        folder.mkdir()
        programs = {"pause": node.PAUSE_IMAGE, "coredns": _DNS_IMAGE}
        for program, image in programs.items():
            layer = layer_of({program: self._program(program) / program})
            write_image(folder / f"{program}.tar", image, layer, entrypoint=(f"/{program}",))
        return [folder / f"{program}.tar" for program in programs]

    def _load_into_nodes(self, archives: Iterable[Path]) -> None:
        nodes = [self._node(each.name) for each in NODES]
        for archive in archives:
            with ThreadPoolExecutor(len(nodes)) as pool:
                for _ in pool.map(lambda at, source=archive: node.load_image(at, source), nodes):
                    pass

    def _commands(self, host: Host) -> dict[str, list[str]]:
        folder = self._folder(host)
        if host == CONTROL_PLANE:
            return control_plane.commands(self._program("kubernetes"), self._authority, folder)
        if host == STORE:
            return {store.COMPONENT: store.command(folder, STORE.address, STORE_PORT)}
        return node.commands(host, folder, self._program("kubernetes"), self._authority)

    def _component(self, place: str) -> tuple[hosts.RunningHost, list[str]]:
        known = {
            f"{host.name}/{name}": (host, command) for host in HOSTS for name, command in self._commands(host).items()
        }
        if place not in known:
            raise ClusterError(f"there is no {place}; there are {', '.join(known)}")
        host, command = known[place]
        return self._running(host.name), command

    def _start_component(self, running: dict[str, hosts.RunningHost], host: Host, name: str) -> None:
        self._start(running[host.name], name, self._commands(host)[name])

    def _start(self, host: hosts.RunningHost, name: str, command: Sequence[str]) -> None:
        host.start(name, command, store.ENVIRONMENT if name == store.COMPONENT else None)

    def _node(self, name: str) -> hosts.RunningHost:
        if name not in {each.name for each in NODES}:
            raise ClusterError(f"there is no node {name}; there are {', '.join(each.name for each in NODES)}")
        return self._running(name)

    def _running(self, name: str) -> hosts.RunningHost:
        try:
            return hosts.running()[name]
        except KeyError as gone:
            raise ClusterError(f"host {name} is down; start the cluster with: hack/cluster up") from gone

    def _program(self, name: str) -> Path:
        recorded = self._recorded_programs()
        return Path(recorded[name]) if recorded else next(p.folder() for p in builds.all_programs() if p.name == name)

    def _recorded_programs(self) -> dict[str, str]:
        """The builds that the running cluster was started from, which newer ones must not be taken for."""
        if not self._programs_record.exists():
            return {}
        recorded: dict[str, str] = json.loads(self._programs_record.read_text())
        return recorded

    def _folder(self, host: Host) -> Path:
        return self._state / "hosts" / host.name

    def _remains(self) -> bool:
        groups = any(node.has_cgroups(each) for each in NODES)
        return bool(hosts.running()) or self._state.exists() or network.is_connected() or groups


def _ask_for_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("the cluster without Docker makes namespaces and mounts: run it as root, or start Docker")
