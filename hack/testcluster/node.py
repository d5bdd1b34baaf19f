"""What runs on a node, and with which settings? containerd, a kubelet and kube-proxy, all beside another node's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcluster.certificates import Authority
from testcluster.hosts import RunningHost
from testcluster.lab import CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS, POD_RANGE, Host
from testcluster.packages import CNI_PLUGINS
from testcluster.progress import wait_until

PAUSE_IMAGE = "localhost/dormouse-pause:1"
CRUN_STATE = "/run/containerd/crun"
_UNIFIED = Path("/sys/fs/cgroup/unified")
_SOCKET = "unix:///run/containerd/containerd.sock"
_IMPORTED_WITHIN_SECONDS = 300.0


def configure(node: Host, folder: Path, authority: Authority) -> None:
    """Write the files that a node's programs read."""
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (folder / "cni" / "10-lab.conflist").write_text(json.dumps(cni_configuration(node), indent=2))
    (folder / "containerd.toml").write_text(containerd_configuration(folder / "cni"))
    (folder / "kubelet.json").write_text(json.dumps(kubelet_configuration(node, authority), indent=2))


def commands(node: Host, folder: Path, programs: Path, authority: Authority) -> dict[str, list[str]]:
    """The command line of each component, in the order of their start."""
    return {
        "containerd": [shutil.which("containerd") or "containerd", f"--config={folder / 'containerd.toml'}"],
        "kubelet": [
            str(programs / "kubelet"),
            f"--config={folder / 'kubelet.json'}",
            f"--kubeconfig={authority.kubeconfig(node.name)}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            "--v=2",
        ],
        "kube-proxy": [
            str(programs / "kube-proxy"),
            f"--kubeconfig={authority.kubeconfig('kube-proxy')}",
            f"--hostname-override={node.name}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={POD_RANGE}",
            "--conntrack-max-per-core=0",  # the limit belongs to the machine, not to a node
        ],
    }


def wait_for_containerd(running: RunningHost) -> None:
    """Return once containerd takes requests."""

    def answers() -> bool:
        return "containerd.sock" in running.run(["sh", "-c", "ls /run/containerd 2>/dev/null || true"])

    remedy = f"Its log: `hack/cluster logs {running.name}/containerd`"
    wait_until(f"containerd on {running.name}", answers, seconds=60, remedy=remedy)


def load_image(running: RunningHost, archive: Path) -> None:
    """Import an image archive, as `docker save` writes it, into the node's containerd."""
    # By its standard input, since the file may lie where a host of the lab cannot see it.
    running.run(
        ["ctr", "--namespace", "k8s.io", "image", "import", "-"], source=archive, seconds=_IMPORTED_WITHIN_SECONDS
    )


def hide_unified_cgroups(running: RunningHost) -> None:
    """Leave the node the first version of control groups alone where this machine has both: crun refuses a mixture.

    Before containerd and the kubelet start: what began with both could end no pod any more.
    """
    running.run(["sh", "-ec", f"if mountpoint -q {_UNIFIED}; then umount {_UNIFIED}; fi"])


def make_cgroups(node: Host) -> None:
    """Make the control group under which the kubelet puts its pods, in every hierarchy."""
    for folder in _cgroups(node):
        folder.mkdir(exist_ok=True)


def remove_cgroups(node: Host) -> bool:
    """Remove the node's control groups, the innermost first; no when one of them still holds a process."""
    for top in _cgroups(node):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue  # its processes are about to be gone
    return not has_cgroups(node)


def has_cgroups(node: Host) -> bool:
    """Whether a control group of the node is left."""
    return any(top.exists() for top in _cgroups(node))


def _cgroups(node: Host) -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / node.cgroup]
    # A hierarchy may be there under two names, such as cpu and cpu,cpuacct.
    hierarchies = sorted({path.resolve() for path in root.iterdir() if path.is_dir()})
    return [path / node.cgroup for path in hierarchies]


def cni_configuration(node: Host) -> Mapping[str, Any]:
    """A point-to-point link for each pod; the routes between the nodes are the lab's."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": node.pod_range}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses, "mtu": 1500},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def containerd_configuration(cni: Path) -> str:
    """containerd's settings; it may lack the right to lower oom_score_adj here, and AppArmor."""
    return f"""\
version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]
        BinaryName = "crun"
        Root = "{CRUN_STATE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cni}"
"""


def kubelet_configuration(node: Host, authority: Authority) -> Mapping[str, Any]:
    """The kubelet's settings; what is not here is Kubernetes' default."""
    certificate, key = authority.pair(node.name)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "containerRuntimeEndpoint": _SOCKET,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "maxPods": 200,
        # How long a pod may overfill its volume; by default a minute more.
        "volumeStatsAggPeriod": "5s",
        "serializeImagePulls": False,
        # The disk is this machine's: how full it is says nothing about the node.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }
