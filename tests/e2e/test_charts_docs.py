"""Do the commands of the charts' pages work as they stand there? Run in their order, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chart_rules import CHARTS
from e2e.installed_operator import helm
from e2e.readers_shell import leaving_no_release, readers_shell
from e2e.running_cluster import Cluster
from markdown_blocks import blocks, write_titled

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("chart", ["dormouse-crds", "dormouse"])
def test_the_commands_of_the_page_work_in_their_order(chart: str, cluster: Cluster, tmp_path: Path) -> None:
    shown = blocks(CHARTS / chart / "README.md", "bash")
    assert shown
    reader = readers_shell(tmp_path)
    with leaving_no_release(cluster):
        for block in shown:
            reader.run(block.text)


def test_the_values_of_the_page_make_the_stores_that_it_promises(tmp_path: Path) -> None:
    (values,) = write_titled(CHARTS / "dormouse" / "README.md", tmp_path)
    rendered = yaml.safe_load_all(helm("template", "dormouse", str(CHARTS / "dormouse"), f"--values={values}"))
    stores = [each["metadata"] for each in rendered if each and each["kind"] == "ObjectStore"]
    assert [(each["namespace"], each["name"]) for each in stores] == [("team-a", "default"), ("team-b", "default")]
