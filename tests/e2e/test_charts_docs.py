"""Do the commands of the charts' pages work as they stand there? Run in their order, as a reader would."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart_rules import CHARTS
from e2e.installed_operator import ROOT, helm, image_values, install_definitions, try_helm
from e2e.running_cluster import HACK_CLUSTER, Cluster
from markdown_blocks import blocks, write_titled

pytestmark = pytest.mark.timeout(300)

NAMESPACE = "dormouse"
# No images are published, other tests made the definitions with another release, and others want to keep them.
HELM = """#!/bin/sh
case " $* " in
  *" charts/dormouse "*) set -- "$@" {images} ;;
  *" install dormouse-crds "*) set -- "$@" --take-ownership --force-conflicts ;;
esac
exec {cluster} helm "$@"
"""
KUBECTL = """#!/bin/sh
case "$1 $2" in "delete crd") set -- "$@" --dry-run=server ;; esac
exec {cluster} kubectl "$@"
"""


@pytest.fixture
def commands(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A folder with `helm` and `kubectl`; what was installed by the names of the pages is gone in the end."""
    images = " ".join(f"--set={value}" for value in image_values())
    for name, text in (("helm", HELM), ("kubectl", KUBECTL)):
        program = tmp_path / name
        program.write_text(text.format(images=images, cluster=HACK_CLUSTER))
        program.chmod(0o755)
    yield tmp_path
    for release in ("dormouse", "dormouse-crds"):
        try_helm("uninstall", release, f"--namespace={NAMESPACE}", "--wait", "--ignore-not-found")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")
    install_definitions()


@pytest.mark.parametrize("chart", ["dormouse-crds", "dormouse"])
def test_the_commands_of_the_page_work_in_their_order(chart: str, commands: Path) -> None:
    shown = blocks(CHARTS / chart / "README.md", "bash")
    assert shown
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    for block in shown:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{block.text}\n{ran.stdout}{ran.stderr}"


def test_the_values_of_the_page_make_the_stores_that_it_promises(tmp_path: Path) -> None:
    (values,) = write_titled(CHARTS / "dormouse" / "README.md", tmp_path)
    rendered = yaml.safe_load_all(helm("template", "dormouse", str(CHARTS / "dormouse"), f"--values={values}"))
    stores = [each["metadata"] for each in rendered if each and each["kind"] == "ObjectStore"]
    assert [(each["namespace"], each["name"]) for each in stores] == [("team-a", "default"), ("team-b", "default")]
