"""Do the commands of the page on placement do what it says, on a real cluster?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.chain_workflow import store_documents
from e2e.installed_operator import installed
from e2e.readers_shell import ReadersShell, readers_shell
from e2e.running_cluster import Cluster
from markdown_blocks import REPOSITORY, examples_by_heading, fits, write_titled

PAGE = REPOSITORY / "docs" / "placement.md"
EXAMPLES = examples_by_heading(PAGE)

pytestmark = [pytest.mark.timeout(500)]


@pytest.fixture
def shell(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[ReadersShell]:
    """Someone with the page's files, in the file's own namespace instead of `shop`."""
    made = replace(readers_shell(tmp_path), instead={"shop": namespace})
    for file in write_titled(PAGE, made.folder):
        file.write_text(made.reads(file.read_text()))
    stores = store_documents(cluster, namespace, namespace)
    stores[1]["metadata"] = {**stores[1]["metadata"], "name": "default"}
    with installed(cluster, namespace, "disruption.enabled=true"):
        cluster.apply(*stores)
        try:
            yield made
        finally:
            for node in cluster.nodes:
                cluster.kubectl("uncordon", node)


def test_every_section_does_what_it_says(shell: ReadersShell) -> None:
    assert EXAMPLES
    for heading, shown in EXAMPLES.items():
        for one in shown:
            printed = shell.run(one.command)
            assert one.shown is None or fits(shell.reads(one.shown), printed), f"{heading}\n{one.command}\n{printed}"
