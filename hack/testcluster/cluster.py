"""What can be asked of a test cluster, whichever kind it is?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from testcluster.kubectl import Kubectl
from testcluster.partition import Target
from testcluster.progress import Progress
from testcluster.status import Status


def kill_container(container: str) -> list[str]:
    """What does that on a node; from inside, the first process of a container cannot be killed."""
    return ["ctr", "--namespace=k8s.io", "task", "kill", "--signal=SIGKILL", container.removeprefix("containerd://")]


class Cluster(Protocol):
    """Two nodes, a control plane and an object store. Programs are named HOST/PROGRAM."""

    @property
    def kubectl(self) -> Kubectl:
        """kubectl of the cluster's own version, and the kubeconfig."""

    def up(self, progress: Progress) -> None:
        """Return once the cluster can be used; mend or replace what an earlier crash left."""

    def down(self, progress: Progress) -> None:
        """Leave nothing but what is cached."""

    def status(self) -> Status:
        """What runs and what is Ready, seen now."""

    def load(self, archive: Path) -> None:
        """Import an image archive, as `docker save` writes it, into both nodes."""

    def base_image(self, progress: Progress) -> tuple[str, Path]:
        """The name and the archive of an image with Python that needs no registry."""

    def partition(self, node: str, cut: Sequence[Target]) -> None:
        """Cut a node off from these, and from nothing else; from nothing heals it."""

    def stop(self, place: str) -> None:
        """End one program as a crash would; it stays down until `start`."""

    def start(self, place: str) -> None:
        """Start one program again."""

    def kill(self, node: str, container: str) -> None:
        """SIGKILL the first process of a container, named by the id that its pod's status tells."""

    def compact(self) -> None:
        """Have etcd forget what was: whoever goes on from before is told 410, once the API server forgets it too."""

    def run(self, node: str, command: Sequence[str]) -> str:
        """What a command prints that is run on a node."""

    def logs(self) -> Sequence[str]:
        """The programs that have a log."""

    def log(self, place: str, lines: int) -> str:
        """The end of one program's log."""
