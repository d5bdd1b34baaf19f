"""What runs on the control plane's host, and with which settings? Kubernetes' own defaults wherever there is one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from testcluster.certificates import Authority
from testcluster.lab import API_PORT, CONTROL_PLANE, POD_RANGE, SERVICE_RANGE


@dataclass(frozen=True)
class Etcd:
    """Where etcd listens, on the loopback."""

    port: int = 2379
    peer_port: int = 2380

    @property
    def url(self) -> str:
        """What the API server is told."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, data: Path) -> list[str]:
        """One member, which does not outlive a crash of this machine."""
        peers = f"http://127.0.0.1:{self.peer_port}"
        return [
            shutil.which("etcd") or "etcd",
            f"--data-dir={data}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",  # ten thousand pods, as each of them was in the last five minutes
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        ]


def commands(programs: Path, authority: Authority, data: Path) -> dict[str, list[str]]:
    """The command line of each component, in the order of their start."""
    return {
        "etcd": Etcd().command(data / "etcd"),
        "kube-apiserver": [str(programs / "kube-apiserver"), *_api_server(authority)],
        "kube-controller-manager": [str(programs / "kube-controller-manager"), *_controller_manager(authority)],
        "kube-scheduler": [
            str(programs / "kube-scheduler"),
            f"--kubeconfig={authority.kubeconfig('kube-scheduler')}",
            "--leader-elect=false",
        ],
    }


def _api_server(authority: Authority) -> list[str]:
    kubelet_certificate, kubelet_key = authority.pair("kube-apiserver-kubelet-client")
    return [
        *api_server(authority, Etcd(), API_PORT),
        f"--advertise-address={CONTROL_PLANE.address}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={kubelet_certificate}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",  # the lab has no names for its hosts
    ]


def api_server(authority: Authority, etcd: Etcd, port: int) -> list[str]:
    """What any API server has to be told."""
    certificate, key = authority.pair("kube-apiserver")
    return [
        f"--etcd-servers={etcd.url}",
        f"--secure-port={port}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={authority.certificate}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={authority.token_key}",
        f"--service-account-signing-key-file={authority.token_key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
    ]


def _controller_manager(authority: Authority) -> list[str]:
    return [
        f"--kubeconfig={authority.kubeconfig('kube-controller-manager')}",
        f"--service-account-private-key-file={authority.token_key}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        f"--cluster-cidr={POD_RANGE}",
        "--allocate-node-cidrs=false",  # each node's CNI configuration names its range
        "--use-service-account-credentials=true",
        "--leader-elect=false",
    ]
