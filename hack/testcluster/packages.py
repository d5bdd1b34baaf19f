"""Which programs come from Debian, and are they there?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from testcluster.commands import ClusterError, own_environment, politely, run
from testcluster.progress import Progress

CNI_PLUGINS = Path("/usr/lib/cni")
# What is called, and the package that holds it.
FOR_THE_CLUSTER = {
    "conntrack": "conntrack",
    "containerd": "containerd",
    "crun": "crun",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "runc": "runc",
    str(CNI_PLUGINS / "ptp"): "containernetworking-plugins",
}
FOR_A_CONTROL_PLANE = {command: FOR_THE_CLUSTER[command] for command in ("etcd", "openssl")}
FOR_THE_BASE_IMAGE = {"mmdebstrap": "mmdebstrap"}
FOR_THE_IMAGES = {"buildah": "buildah", "unshare": "util-linux"}
_INSTALLED_WITHIN_SECONDS = 600.0


def missing(wanted: dict[str, str]) -> list[str]:
    """The packages without which something could not be called."""
    return sorted({package for command, package in wanted.items() if shutil.which(command) is None})


def install(wanted: dict[str, str], progress: Progress) -> None:
    """Install what is missing, and nothing when nothing is."""
    packages = missing(wanted)
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"these are missing and there is no apt-get to install them: {_listed(wanted)}")
    progress.say(f"installing {', '.join(packages)}")
    # RUNLEVEL keeps Debian from starting the services of a package: the lab runs its own.
    environment = own_environment(DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    for arguments in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *packages]):
        run(politely(["apt-get", *arguments]), environment=environment, seconds=_INSTALLED_WITHIN_SECONDS)
    if still := missing(wanted):
        raise ClusterError(f"apt-get installed {', '.join(still)}, yet their programs are not on {os.environ['PATH']}")


def _listed(commands: Iterable[str]) -> str:
    return ", ".join(command for command in commands if shutil.which(command) is None)
