"""What do the commands that take a workflow's name bring, and what do they say where something is wrong?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dormouse_operator.dev.ports import LOOPBACK, free_ports
from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(420), pytest.mark.usefixtures("operator")]

CANNOT_BE_ASKED = 4
DORMOUSE = Path(sys.executable).with_name("dormouse")


@dataclass(frozen=True)
class Desk:
    """Somebody's folder and kubeconfig."""

    folder: Path
    kubeconfig: str

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code of `dormouse`, and all that it printed."""
        environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        done = subprocess.run(
            [DORMOUSE, *arguments], cwd=self.folder, env={**environment, "KUBECONFIG": self.kubeconfig},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def left(self) -> list[str]:
        """What is in the folder."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture(scope="module")
def one(cluster: Cluster, namespace: str) -> ChainWorkflow:
    """A workflow that works for as long as these tests last."""
    made = ChainWorkflow(cluster, namespace, steps=100_000).apply()
    made.wait_for_steps()
    return made


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path) -> Desk:
    return Desk(tmp_path, cluster.kubeconfig)


@pytest.fixture
def powerless(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Desk:
    """Somebody whom the API server knows, and who may do nothing."""
    file = tmp_path_factory.mktemp("powerless") / "kubeconfig"
    file.write_text(Path(cluster.kubeconfig).read_text())
    token = cluster.kubectl("--namespace", namespace, "create", "token", "default").strip()
    mine = ("--kubeconfig", str(file), "config")
    cluster.kubectl(*mine, "set-credentials", "powerless", f"--token={token}")
    cluster.kubectl(*mine, "set-context", "--current", "--user=powerless")
    return Desk(desk.folder, str(file))


def test_a_report_of_a_name_holds_the_copy_the_status_and_the_findings(one: ChainWorkflow, desk: Desk) -> None:
    code, said = desk.run("report", one.name, "-n", one.namespace, "-o", "support.tar.gz")
    assert code == 0, said
    with tarfile.open(desk.folder / "support.tar.gz") as bundle:
        inside = {Path(name).name for name in bundle.getnames()}
        (status,) = (each for each in bundle.getmembers() if each.name.endswith("/status.json"))
        read = bundle.extractfile(status)
        assert read is not None
        told = json.load(read)
    assert {"status.json", "findings.json", "versions.json"} <= inside, said
    assert any(name.endswith(".sqlite") for name in inside), said
    assert told["status"]["epoch"] == one.status()["epoch"]


def test_a_redacted_copy_is_made_of_a_workflow_that_runs(one: ChainWorkflow, desk: Desk) -> None:
    code, said = desk.run("export", one.name, "-n", one.namespace, "--redact", "-o", "copy.sqlite")
    assert code == 0, said
    assert desk.left() == ["copy.sqlite", "copy.sqlite.json"]
    assert json.loads((desk.folder / "copy.sqlite.json").read_text())["redacted"] is True
    code, listed = desk.run("list", "copy.sqlite")
    assert "chain" in listed
    assert one.attempts_prefix not in (desk.folder / "copy.sqlite").read_bytes().decode(errors="replace")


def test_the_pages_of_a_name_show_what_it_had_done_when_they_were_opened(one: ChainWorkflow, desk: Desk) -> None:
    (port,) = free_ports(1)
    with subprocess.Popen(
        [DORMOUSE, "open", one.name, "-n", one.namespace, "--no-browser", "--port", str(port)],
        cwd=desk.folder, env={**os.environ, "KUBECONFIG": desk.kubeconfig},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as opened:  # fmt: skip
        try:
            eventually("it serves", lambda: _page(port, "/executions/main"), seconds=60)
            assert "chain" in str(_page(port, "/executions/main"))
        finally:
            opened.terminate()
            opened.wait(30)
    assert desk.left() == []


def _page(port: int, path: str) -> str | None:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=10).raise_for_status().text
    except httpx.TransportError:
        return None


VERBS = [
    pytest.param(("pull",), id="pull"),
    pytest.param(("export", "-o", "copy.sqlite"), id="export"),
    pytest.param(("report",), id="report"),
    pytest.param(("open", "--no-browser"), id="open"),
    pytest.param(("status",), id="status"),
    pytest.param(("signal", "paid", "1"), id="signal"),
]


def asked(verb: tuple[str, ...], name: str, namespace: str) -> list[str]:
    command, *more = verb
    return [command, name, *(["main"] if command == "signal" else []), *more, "-n", namespace]


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_that_nobody_has_is_told_with_the_namespace(
    one: ChainWorkflow, desk: Desk, verb: tuple[str, ...]
) -> None:
    code, said = desk.run(*asked(verb, "nobody", one.namespace))
    assert code == CANNOT_BE_ASKED
    assert f"there is no DurableWorkflow 'nobody' in namespace {one.namespace}; there are: {one.name}" in said
    assert desk.left() == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_right_that_is_missing_is_named(one: ChainWorkflow, powerless: Desk, verb: tuple[str, ...]) -> None:
    code, said = powerless.run(*asked(verb, one.name, one.namespace))
    assert code == CANNOT_BE_ASKED
    assert f"may not get durableworkflows.dormouse.dev in namespace {one.namespace}; the ClusterRole view" in said
    assert powerless.left() == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_cluster_that_does_not_answer_is_told(
    one: ChainWorkflow, cluster: Cluster, powerless: Desk, verb: tuple[str, ...]
) -> None:
    (closed,) = free_ports(1)
    mine = ("--kubeconfig", powerless.kubeconfig, "config", "set-cluster")
    name = json.loads(cluster.kubectl("--kubeconfig", powerless.kubeconfig, "config", "view", "-o", "json"))
    cluster.kubectl(*mine, name["clusters"][0]["name"], f"--server=https://{LOOPBACK}:{closed}")
    code, said = powerless.run(*asked(verb, one.name, one.namespace))
    assert code == CANNOT_BE_ASKED
    assert f"server {LOOPBACK}:{closed} was refused" in said
    assert "is the cluster there?" in said
    assert powerless.left() == []


@pytest.mark.parametrize("verb", [each for each in VERBS if each.id not in ("status", "signal")])
def test_of_a_store_that_does_not_answer_nothing_half_is_left_and_a_report_tells_the_rest(
    one: ChainWorkflow, desk: Desk, verb: tuple[str, ...]
) -> None:
    (closed,) = free_ports(1)
    code, said = desk.run(*asked(verb, one.name, one.namespace), "--endpoint", f"http://{LOOPBACK}:{closed}")
    assert f"the store http://{LOOPBACK}:{closed}: " in said
    assert "see that it is there" in said
    if verb == ("report",):
        assert (code, desk.left()) == (0, [f"{one.name}-report.tar.gz"])
        assert "its data is not in the bundle" in said
    else:
        assert (code, desk.left()) == (CANNOT_BE_ASKED, [])
