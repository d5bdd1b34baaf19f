"""Does `kubectl dormouse` look after a workflow on a real cluster, as docs/kubectl.md says?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.readers_shell import ReadersShell, readers_shell
from e2e.running_cluster import Cluster, eventually
from markdown_blocks import REPOSITORY, Example, blocks, examples, fits

PAGE = REPOSITORY / "docs" / "kubectl.md"
PAGES_NAME, PAGES_NAMESPACE = "counter", "shop"
EXAMPLES = examples(blocks(PAGE))
(FOLLOWED,) = (one for one in EXAMPLES if "dormouse logs" in one.command)
TALKS = [one for one in EXAMPLES if one is not FOLLOWED]

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(420), pytest.mark.usefixtures("operator")]


@pytest.fixture(scope="module")
def one(cluster: Cluster, namespace: str) -> ChainWorkflow:
    """A workflow that works for as long as these tests last."""
    made = ChainWorkflow(cluster, namespace, steps=100_000).apply()
    made.wait_for_steps()
    return made


@pytest.fixture
def reader(tmp_path: Path, one: ChainWorkflow) -> ReadersShell:
    """Reads the page with the names of this workflow in it."""
    return replace(readers_shell(tmp_path), instead={PAGES_NAME: one.name, PAGES_NAMESPACE: one.namespace})


@pytest.mark.parametrize("shown", TALKS, ids=lambda shown: shown.command.split()[2])
def test_the_pages_command_prints_what_the_page_shows(one: ChainWorkflow, reader: ReadersShell, shown: Example) -> None:
    one.wait_for_condition("Ready")
    # Operators of other tests may come and go beside this one, and the doctor looks at all of them.
    printed = reader.run(f"{shown.command.rstrip()} || [ $? = 1 ]" if "doctor" in shown.command else shown.command)
    verbs = {line.split()[2] for line in shown.command.splitlines()}
    if shown.shown is None:
        assert verbs == {"list", "show"}
        assert "waits for" in printed
    elif "suspend" in verbs:
        assert fits(reader.reads(shown.shown), printed), printed
    elif "doctor" in verbs:
        assert set(heads(shown.shown, reader, columns=2)) <= set(heads(printed, reader, columns=2)), printed
    elif "--all-namespaces" in shown.command:
        assert printed.splitlines()[0].split() == shown.shown.splitlines()[0].split()
        assert one.namespace in heads(printed, reader)
    else:
        assert one.name in printed
        assert [head for head in heads(shown.shown, reader) if head in heads(printed, reader)] == heads(printed, reader)


def heads(text: str, reader: ReadersShell, columns: int = 1) -> list[str]:
    """What the lines begin with."""
    lines = (re.split(r"\s{2,}", line) for line in reader.reads(text).splitlines())
    return ["  ".join(cells[:columns]) for cells in lines if cells[0]]


def test_one_screen_tells_what_runs_where_and_what_it_does(one: ChainWorkflow, reader: ReadersShell) -> None:
    one.wait_for_condition("Ready")
    said = reader.run(f"kubectl dormouse status {one.name} --namespace {one.namespace}")
    epoch = one.status()["epoch"]
    assert f"{one.namespace}/{one.name}  Running" in said
    assert f"{one.name}-e{epoch} on {one.node}: litestream ready, runtime ready" in said
    assert "1 open" in said
    assert "not be reached" not in said, said


def test_a_line_for_each_in_all_namespaces(one: ChainWorkflow, reader: ReadersShell) -> None:
    lines = reader.run("kubectl dormouse status --all-namespaces").splitlines()
    assert lines[0].split()[:3] == ["NAMESPACE", "NAME", "PHASE"]
    assert any(line.split()[:2] == [one.namespace, one.name] for line in lines[1:])
    names = reader.run(f"kubectl dormouse status --namespace {one.namespace} -o name").split()
    assert names == [f"durableworkflow.dormouse.dev/{one.name}"]


def test_the_pod_is_asked_by_the_workflows_name(one: ChainWorkflow, reader: ReadersShell) -> None:
    one.wait_for_condition("Ready")
    assert "main" in reader.run(f"kubectl dormouse list {one.name} --namespace {one.namespace}")
    shown = reader.run(f"kubectl dormouse show {one.name} main --namespace {one.namespace}")
    assert "waits for" in shown


def test_the_doctor_finds_the_operator_the_rights_and_the_store(one: ChainWorkflow, reader: ReadersShell) -> None:
    one.wait_for_condition("Ready")
    printed, _, code = reader.run(
        f"kubectl dormouse doctor --namespace {one.namespace} -o json && echo code 0 || echo code $?"
    ).rpartition("code ")
    found = json.loads(printed)
    told = {(each["check"], each["level"]) for each in found["findings"]}
    assert int(code) == any(each["level"] == "wrong" for each in found["findings"]), found
    assert {("cluster", "ok"), ("definitions", "ok"), ("stores", "ok"), ("permissions", "ok")} <= told, found
    assert ("operator", "ok") in told, found


def test_suspended_it_rests_and_resumed_it_goes_on(one: ChainWorkflow, reader: ReadersShell) -> None:
    reader.run(f"kubectl dormouse suspend {one.name} --namespace {one.namespace}")
    eventually("it rests", lambda: one.status().get("phase") == "Suspended", seconds=90)
    assert "Suspended" in reader.run(f"kubectl dormouse status {one.name} --namespace {one.namespace}")
    before = one.status()["epoch"]
    reader.run(f"kubectl dormouse resume {one.name} --namespace {one.namespace}")
    one.wait_for_epoch(before + 1)


def test_the_logs_go_on_with_the_next_pod(one: ChainWorkflow, reader: ReadersShell) -> None:
    one.wait_for_condition("Ready")
    epoch = one.status()["epoch"]
    path = os.pathsep.join((str(reader.programs), str(Path(sys.executable).parent), os.environ["PATH"]))
    log = reader.folder / "followed.log"
    with log.open("wb") as screen:
        following = subprocess.Popen(
            # Who runs the tests in the background has it ignored.
            ["env", "--default-signal=INT", *reader.reads(FOLLOWED.command).split()],
            env={**os.environ, "PATH": path}, stdout=screen, stderr=subprocess.STDOUT, cwd=reader.folder,
        )  # fmt: skip
        try:
            eventually("it shows the pod", lambda: f"e{epoch} litestream" in log.read_text(), seconds=60)
            one.cluster.kubectl(
                "--namespace", one.namespace, "delete", "pod", one.pod()["metadata"]["name"], "--wait=false"
            )
            followed = f"--- {one.name}-e{epoch} is followed by {one.name}-e{epoch + 1}"
            eventually("it says that another follows", lambda: followed in log.read_text(), seconds=120)
            eventually("it shows that one", lambda: f"e{epoch + 1} runtime" in log.read_text(), seconds=90)
            printed = log.read_text().splitlines()
            assert [line for line in printed if not line.startswith(("e", "---"))] == []
        finally:
            following.send_signal(signal.SIGINT)
            following.wait(30)
