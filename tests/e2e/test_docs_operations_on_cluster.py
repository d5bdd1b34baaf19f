"""Do the commands of the page on operations do what it says? Faults come in between, as they would."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location
from e2e.readers_shell import ReadersShell, leaving_no_release, readers_shell
from e2e.running_cluster import Cluster, eventually
from markdown_blocks import REPOSITORY, examples_by_heading, fits, write_titled
from stored_database import StoredDatabase

PAGE = REPOSITORY / "docs" / "operations.md"
EXAMPLES = examples_by_heading(PAGE)
NAMESPACE, NAME = "shop", "counter"

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass
class Reader:
    """Works through the page, section by section."""

    cluster: Cluster
    shell: ReadersShell
    store_prefix: str

    def play(self, heading: str) -> None:
        """Type the section's commands; their answers are those of the page."""
        for one in EXAMPLES[heading]:
            printed = self.shell.run(one.command)
            assert one.shown is None or fits(self.shell.reads(one.shown), printed), f"{one.command}\n{printed}"

    def workflow(self) -> dict[str, Any]:
        return self.cluster.get("--namespace", NAMESPACE, "dwf", NAME)

    @property
    def node(self) -> str:
        node: str = self.workflow()["status"]["node"]
        return node

    def pod(self) -> str:
        """The UID of the newest epoch's pod."""
        name = self.workflow()["status"]["podName"]
        uid: str = self.cluster.get("--namespace", NAMESPACE, "pod", name)["metadata"]["uid"]
        return uid

    def set_mode(self, mode: str) -> None:
        patch = json.dumps({"spec": {"operatingMode": mode}})
        self.cluster.kubectl("--namespace", NAMESPACE, "patch", "dwf", NAME, "--type=merge", f"--patch={patch}")

    def suspend(self) -> None:
        self.set_mode("Suspended")
        wait = ("wait", f"dwf/{NAME}", "--for=jsonpath={.status.phase}=Suspended", "--timeout=90s")
        self.cluster.kubectl("--namespace", NAMESPACE, *wait, seconds=100)

    def counted(self) -> list[int]:
        """What the database that the page restores has counted, in order."""
        with closing(sqlite3.connect(self.shell.folder / "counter.sqlite")) as connection:
            rows = connection.execute("SELECT payload FROM event WHERE kind = 'ActivityCompleted' ORDER BY position")
            return [json.loads(payload) for (payload,) in rows]

    @property
    def stored(self) -> StoredDatabase:
        store = self.cluster.store
        location = Location(
            store["bucket"], store["endpoint"], store["region"],
            access_key_id=store["access_key_id"], secret_access_key=store["secret_access_key"],
        )  # fmt: skip
        return StoredDatabase(location, Layout.of(self.store_prefix, NAMESPACE, NAME), self.cluster.bucket())


@pytest.fixture
def reader(cluster: Cluster, tmp_path: Path) -> Iterator[Reader]:
    """Someone with a store of their own and the page's files; what the page makes is gone in the end."""
    store_prefix = f"operations-{secrets.token_hex(3)}"
    instead = {
        "https://s3.example.com": cluster.store["endpoint"],
        "eu-central-1": cluster.store["region"],
        "my-bucket": cluster.store["bucket"],
        "production": store_prefix,
    }
    keys = {
        "ACCESS_KEY_ID": cluster.store["access_key_id"],
        "SECRET_ACCESS_KEY": cluster.store["secret_access_key"],
    }
    shell = replace(readers_shell(tmp_path), instead=instead, variables=keys)
    for file in write_titled(PAGE, shell.folder):
        file.write_text(shell.reads(file.read_text()))
    with leaving_no_release(cluster):
        try:
            yield Reader(cluster, shell, store_prefix)
        finally:
            for node in cluster.nodes:
                cluster.kubectl("uncordon", node)
            remove_namespace(cluster)


def remove_namespace(cluster: Cluster) -> None:
    """Whatever a test that failed left: no operator may be there to let go of it."""
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")
    for kind in ("durableworkflows", "objectstores", "secrets"):
        found = cluster.try_kubectl("--namespace", NAMESPACE, "get", kind, "--output=name")
        for held in found.stdout.split():
            patch = ("patch", held, "--type=merge", '--patch={"metadata": {"finalizers": null}}')
            cluster.try_kubectl("--namespace", NAMESPACE, *patch)
    cluster.kubectl("wait", f"namespace/{NAMESPACE}", "--for=delete", "--timeout=120s", seconds=130)


def test_the_page_tells_how_to_install_run_mend_and_uninstall(reader: Reader) -> None:
    cluster = reader.cluster
    reader.play("Install")
    reader.play("The first workflow")
    reader.play("Alerts")
    reader.play("Suspend and resume")

    node = reader.node
    reader.play("Drain a node")
    assert reader.node != node

    with cluster.cut(reader.node, "all"):
        reader.play("A node is lost")
    eventually("both nodes are back", lambda: all(cluster.is_ready(each) for each in cluster.nodes), seconds=90)

    with cluster.stopped(cluster.store_program):
        reader.play("The store is down")
    ready = ("wait", f"dwf/{NAME}", "--for=condition=Ready", "--timeout=90s")
    cluster.kubectl("--namespace", NAMESPACE, *ready, seconds=100)

    reader.play("Rotate the credentials")
    pod = reader.pod()
    reader.play("Upgrade")
    assert reader.pod() == pod, "an upgrade leaves pods alone"
    reader.play("Bring running workflows to the new image")
    reader.play("Change a running workflow")
    reader.play("Replay before a change rolls")
    reader.play("Delete a workflow, and go on with its data")

    # Of a pod that runs, and of a life that was sealed.
    reader.play("Get a database out with plain Litestream")
    running = reader.counted()
    reader.suspend()
    reader.shell.run("rm counter.sqlite")
    reader.play("Get a database out with plain Litestream")
    assert reader.counted() == list(range(1, len(reader.counted()) + 1)), "each was counted once, over seven lives"
    assert len(reader.counted()) >= len(running) > 20

    reader.stored.take_away_epochs()
    reader.set_mode("Running")
    reader.play("The data is gone: `allowEmptyRestore`")
    reader.suspend()
    with cluster.stopped(cluster.store_program):
        reader.play("The store is gone for good: `abandon-data`")
    reader.play("The cluster is gone for good: `takeOverFrom`")

    reader.shell.run("helm uninstall dormouse --namespace dormouse --wait")
    cluster.kubectl("--namespace", NAMESPACE, "delete", "dwf", NAME, "--wait=false")
    assert reader.workflow()["metadata"]["finalizers"] == ["dormouse.dev/data"]
    reader.play("The operator went first")
    assert reader.stored.current().state == "Released"

    hold = ("patch", "secret", "store", "--type=merge", '--patch={"metadata": {"finalizers": ["dormouse.dev/in-use"]}}')
    cluster.kubectl("--namespace", NAMESPACE, *hold)
    reader.play("A Secret that nobody lets go of")
    assert "finalizers" not in cluster.get("--namespace", NAMESPACE, "secret", "store")["metadata"]

    cluster.kubectl("apply", f"--filename={reader.shell.folder / 'counter.yaml'}")
    reader.play("Uninstall")


def test_the_page_tells_how_a_namespace_goes_that_lost_its_operator_s_role(reader: Reader) -> None:
    cluster = reader.cluster
    reader.play("Install")
    reader.play("The first workflow")
    reader.shell.run("helm uninstall dormouse --namespace dormouse --wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    reader.play("A namespace went first, and the operator's Role with it")
    assert reader.stored.current().state == "Released"
