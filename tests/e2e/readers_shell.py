"""How does a test type what a page says? In bash, with the `helm` and `kubectl` of the test cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.installed_operator import ROOT, STORE_PORT, image_values, install_definitions, try_helm
from e2e.running_cluster import HACK_CLUSTER, Cluster

OPERATORS_NAMESPACE = "dormouse"
# No images are published, other tests made the definitions with another release, and others want to keep them.
HELM = """#!/bin/sh
case " $* " in
  *" charts/dormouse "*) set -- "$@" {settings} ;;
  *" install dormouse-crds "*) set -- "$@" --take-ownership --force-conflicts ;;
esac
exec {cluster} helm "$@"
"""
KUBECTL = """#!/bin/sh
case "$1 $2" in "delete crd") set -- "$@" --dry-run=server ;; esac
exec {cluster} kubectl "$@"
"""


@dataclass(frozen=True)
class ReadersShell:
    """A folder of the reader's own with a link to the charts. What stands in `instead` is read as something else."""

    folder: Path
    programs: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def reads(self, text: str) -> str:
        """The page's words with the reader's own names in them."""
        for shown, own in self.instead.items():
            text = text.replace(shown, own)
        return text

    def run(self, command: str, seconds: float = 200.0) -> str:
        """Run it to its end and return what it printed."""
        path = os.pathsep.join((str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        inherited = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.reads(command)],
            cwd=self.folder, env={**inherited, **self.variables, "PATH": path},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout


def readers_shell(folder: Path) -> ReadersShell:
    """One whose `helm` and `kubectl` are the test cluster's."""
    programs, desk = folder / "programs", folder / "desk"
    programs.mkdir()
    desk.mkdir()
    (desk / "charts").symlink_to(ROOT / "charts")
    settings = " ".join(f"--set={value}" for value in (*image_values(), STORE_PORT))
    for name, text in (("helm", HELM), ("kubectl", KUBECTL)):
        program = programs / name
        program.write_text(text.format(settings=settings, cluster=HACK_CLUSTER))
        program.chmod(0o755)
    return ReadersShell(desk, programs)


@contextmanager
def leaving_no_release(cluster: Cluster) -> Iterator[None]:
    """What is installed by the names of the pages is gone in the end, and the definitions are the tests' again."""
    try:
        yield
    finally:
        for release in ("dormouse", "dormouse-crds"):
            try_helm("uninstall", release, f"--namespace={OPERATORS_NAMESPACE}", "--wait", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", OPERATORS_NAMESPACE, "--ignore-not-found", seconds=120)
        install_definitions()
