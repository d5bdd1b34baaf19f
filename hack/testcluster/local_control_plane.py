"""How does one have an API server with thousands of pods and no node? On the loopback, with kwok as every kubelet.

Where etcd is installed it needs no root, and no namespaces. It has no controllers, and lives in a folder until its
block ends.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testcluster import builds, packages
from testcluster.certificates import Authority, Identity
from testcluster.commands import ClusterError, plain_environment
from testcluster.control_plane import Etcd, api_server
from testcluster.kubectl import Kubectl
from testcluster.lab import API_SERVICE_ADDRESS
from testcluster.progress import Progress, wait_until

_ADMIN = "admin"
_WITHOUT_CONTROLLERS = (
    "ServiceAccount",  # nobody makes the default one
    "TaintNodesByCondition",  # nobody takes the taint away again
)
_MANY_SECONDS = 120.0


@dataclass(frozen=True)
class LocalControlPlane:
    """One that runs. Everybody may do everything, under the name that its certificate has."""

    authority: Authority
    kubectl: Kubectl
    audit_log: Path

    def kubeconfig(self, name: str) -> Path:
        """That of one of the names that it was started with."""
        return self.authority.kubeconfig(name)


@contextmanager
def local_control_plane(
    folder: Path, stages: Path, users: Sequence[str], audited: str, progress: Progress
) -> Iterator[LocalControlPlane]:
    """Until the end of the block; `stages` is kwok's configuration. What `audited` writes is in the audit log.

    Raises ClusterError.
    """
    packages.install(packages.FOR_A_CONTROL_PLANE, progress)
    kubernetes = builds.called(builds.kubernetes(), progress).parent
    kwok = builds.called(builds.kwok(), progress)
    ports = _free_ports(3)
    etcd, api_port = Etcd(ports[0], ports[1]), ports[2]
    authority = Authority(folder / "pki", f"https://127.0.0.1:{api_port}", _identities(users))
    authority.create()
    made = LocalControlPlane(
        authority, Kubectl(kubernetes / "kubectl", authority.kubeconfig(_ADMIN)), folder / "audit.log"
    )
    policy = folder / "audit-policy.yaml"
    policy.write_text(_audit_policy(audited))
    with contextlib.ExitStack() as ends:

        def start(name: str, command: Sequence[str]) -> None:
            ends.enter_context(_running(name, command, folder))

        start("etcd", etcd.command(folder / "etcd"))
        start("kube-apiserver", _api_server(kubernetes, authority, etcd, api_port, policy, made.audit_log))
        remedy = f"Its log is in {folder}"
        wait_until("the API server answers", made.kubectl.api_is_ready, seconds=_MANY_SECONDS, remedy=remedy)
        start("kube-scheduler", _scheduler(kubernetes, authority))
        start("kwok", _kwok(kwok, authority, stages))
        yield made


def _identities(users: Sequence[str]) -> tuple[Identity, ...]:
    addresses = ("IP:127.0.0.1", f"IP:{API_SERVICE_ADDRESS}")
    system = (Identity("kube-apiserver", "kube-apiserver", addresses=addresses),)
    people = (_ADMIN, "kube-scheduler", "kwok", *users)
    return (*system, *(Identity(name, name, "system:masters") for name in people))


def _api_server(
    programs: Path, authority: Authority, etcd: Etcd, port: int, policy: Path, audit_log: Path
) -> list[str]:
    return [
        str(programs / "kube-apiserver"),
        *api_server(authority, etcd, port),
        "--bind-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # no Service may lead to the loopback
        "--authorization-mode=RBAC",
        # Debian's etcd cannot tell how far a watch is; clients would wait for that, and list only after their pauses.
        "--feature-gates=WatchList=false",
        f"--disable-admission-plugins={','.join(_WITHOUT_CONTROLLERS)}",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={audit_log}",
        "--audit-log-maxsize=100000",  # MB: whoever reads it reads on in the same file
    ]


def _scheduler(programs: Path, authority: Authority) -> list[str]:
    kubeconfig = authority.kubeconfig("kube-scheduler")
    return [
        str(programs / "kube-scheduler"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        # By itself it binds 50 pods a second, however many wait.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
    ]


def _kwok(program: Path, authority: Authority, stages: Path) -> list[str]:
    return [
        str(program),
        f"--kubeconfig={authority.kubeconfig('kwok')}",
        f"--config={stages}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",  # as a kubelet's: renewed each ten seconds
        "--node-ip=127.0.0.1",
    ]


def _audit_policy(user: str) -> str:
    return f"""apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: [{user}]
    verbs: [create, update, patch, delete]
  - level: None
"""


@contextmanager
def _running(name: str, command: Sequence[str], folder: Path) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        if process.poll() is not None:
            raise ClusterError(f"{name} ended by itself with code {process.returncode}; its log is in {folder}")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)  # nothing of it is kept
        process.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
