"""What runs on the control plane's host, and with which settings? Kubernetes' own defaults wherever there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

from testcluster.certificates import Authority
from testcluster.lab import API_PORT, CONTROL_PLANE, POD_RANGE, SERVICE_RANGE

_ETCD = "http://127.0.0.1:2379"
_ETCD_PEERS = "http://127.0.0.1:2380"


def commands(programs: Path, authority: Authority, data: Path) -> dict[str, list[str]]:
    """The command line of each component, in the order of their start."""
    return {
        "etcd": _etcd(data / "etcd"),
        "kube-apiserver": [str(programs / "kube-apiserver"), *_api_server(authority)],
        "kube-controller-manager": [str(programs / "kube-controller-manager"), *_controller_manager(authority)],
        "kube-scheduler": [
            str(programs / "kube-scheduler"),
            f"--kubeconfig={authority.kubeconfig('kube-scheduler')}",
            "--leader-elect=false",
        ],
    }


def _etcd(data: Path) -> list[str]:
    return [
        shutil.which("etcd") or "etcd",
        f"--data-dir={data}",
        "--unsafe-no-fsync",  # the cluster does not outlive a crash of this machine
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_ETCD_PEERS}",
        f"--initial-advertise-peer-urls={_ETCD_PEERS}",
        f"--initial-cluster=default={_ETCD_PEERS}",
    ]


def _api_server(authority: Authority) -> list[str]:
    certificate, key = authority.pair("kube-apiserver")
    kubelet_certificate, kubelet_key = authority.pair("kube-apiserver-kubelet-client")
    return [
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={CONTROL_PLANE.address}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={authority.certificate}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={authority.token_key}",
        f"--service-account-signing-key-file={authority.token_key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={kubelet_certificate}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",  # the lab has no names for its hosts
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
