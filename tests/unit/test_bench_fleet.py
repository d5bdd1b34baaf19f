"""Does the fleet bench count what it says, with a fleet that is one, and do the docs name its figures?"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[2] / "hack"))  # a program of its own, not part of the distribution

import docs_block
import fleet
import fleet_docs
import fleet_run
from fleet_flock import is_settled, keys_of, workflow
from fleet_programs import AuditLog, Written
from fleet_run import Costs
from frame import Unavailable
from testcluster import builds
from testcluster.certificates import Authority
from testcluster.control_plane import commands

from dormouse_operator.api import parse
from dormouse_operator.plan.lives import read_life

REPOSITORY = Path(__file__).parents[2]
STAGES = REPOSITORY / "hack" / "benchmarks" / "fleet_stages.yaml"


def line(verb: str, resource: str, code: int = 200, **of: str) -> bytes:
    event = {
        "stage": "ResponseComplete",
        "verb": verb,
        "objectRef": {"resource": resource, "namespace": "team", "name": "report", **of},
        "responseStatus": {"code": code},
    }
    return json.dumps(event).encode() + b"\n"


def test_writes_that_were_done_are_counted_and_the_leaders_lease_is_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(
        line("patch", "durableworkflows", subresource="status")
        + line("patch", "durableworkflows", 409)
        + line("update", "leases")
        + line("create", "events", 201)
    )
    found = AuditLog(path).news()
    assert found == [
        Written("patch", "durableworkflows/status", "team", "report"),
        Written("create", "events", "team", "report"),
    ]
    assert [each.is_event for each in found] == [False, True]


def test_a_line_that_is_not_yet_whole_waits_for_its_end(tmp_path: Path) -> None:
    path, whole = tmp_path / "audit.log", line("create", "pods", 201)
    log = AuditLog(path)
    assert log.news() == []
    path.write_bytes(whole + whole[:20])
    assert len(log.news()) == 1
    path.write_bytes(whole + whole)
    assert len(log.news()) == 1
    assert log.news() == []


def test_a_workflow_is_waited_for_until_its_status_says_from_where_it_came() -> None:
    runs: dict[str, Any] = {"phase": "Running", "epoch": 1}
    assert not is_settled({})
    assert not is_settled({"status": runs})
    assert is_settled({"status": {**runs, "claimedAt": "2026-03-01T12:00:00+00:00"}})
    assert is_settled({"status": {**runs, "epoch": 2}}), "of a later life nothing was written into the store"


@pytest.mark.parametrize("story", ["runs", "fails"])
def test_the_workflows_of_the_fleet_are_valid_and_dealt_out_to_all_tenants(story: str) -> None:
    keys = keys_of(("tenant-0", "tenant-1"), range(5))
    assert len(set(keys)) == 5
    assert [namespace for namespace, _ in keys].count("tenant-0") == 3
    parse(workflow(keys[0], story))


def test_the_pods_that_fail_say_why_in_words_that_the_operator_reads() -> None:
    stages = list(yaml.safe_load_all(STAGES.read_text()))
    assert {each["kind"] for each in stages} == {"Stage"}
    (failing,) = [each for each in stages if each["metadata"]["name"] == "life-fails"]
    keeper, runtime = re.findall(r"message: '(.+)'", failing["spec"]["next"]["statusTemplate"])
    pod: dict[str, Any] = {
        "metadata": {"name": "report-e1"},
        "status": {
            "phase": "Failed",
            "initContainerStatuses": [{"name": "litestream", "state": {"terminated": {"message": keeper}}}],
            "containerStatuses": [{"name": "runtime", "state": {"terminated": {"message": runtime}}}],
        },
    }
    assert [ending.reason for ending in read_life(pod).endings] == ["StoreUnreachable", "KeeperGone"]


def test_the_page_has_every_figure_with_its_goal_and_no_other() -> None:
    section = (REPOSITORY / "docs" / "benchmarks.md").read_text().partition("## The operator with a fleet")[2]
    table = section.partition("<!-- Written by ")[0]
    told = re.findall(r"^\| `(\w+)` \| .+? \| at most ([\d.,]+)", table, re.MULTILINE)
    assert told == [(figure.name, f"{figure.goal:g}") for figure in fleet.FIGURES]


def test_every_figure_comes_from_one_run_and_events_and_pods_are_no_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = {
        ("create", "pods"): 10,
        ("create", "events"): 10,
        ("patch", "durableworkflows"): 10,
        ("patch", "durableworkflows/status"): 25,
    }
    found = Costs(
        size=fleet.size_of(fleet.WHOLE),
        first_cpu=2.0,
        create_cpu=6.0,
        create_seconds=60.0,
        writes=Counter(writes),
        peak_rss_mib=213.0,
        steady_rss_mib=186.0,
        steady_cpu_share=0.01,
        change_cpu_few=0.008,
        change_cpu_many=0.004,
        restart_writes=1,
        restart_cpu=3.0,
        restart_seconds=9.0,
        latency_alone=0.1,
        latency_beside_failing=0.15,
        script={},
    )
    monkeypatch.setattr(fleet, "costs", lambda _: found)
    monkeypatch.setattr(fleet_run, "bare_cpu", lambda *_: 3.0 / 9980)
    assert {figure.name: round(figure.take(False).value, 6) for figure in fleet.FIGURES} == {
        "fleet_writes": 3.5,
        "fleet_restart_writes": 1,
        "fleet_10k_rss_mib": 213,
        "fleet_steady_cpu": 0.01,
        "fleet_change_ratio": 0.5,
        "fairness_ratio": 1.5,
        "fleet_10k_cpu_ratio": 2,
    }


@pytest.mark.parametrize("workflows", [20, 400, 10_000])
def test_what_is_counted_begins_when_every_tenant_has_a_workflow(workflows: int) -> None:
    size = fleet.size_of(workflows)
    tenants = fleet_run._tenants(size)
    assert {namespace for namespace, _ in keys_of(tenants, range(size.first))} == set(tenants)
    assert size.created == workflows - size.first


def test_a_quick_run_tells_the_writes_of_a_few_workflows_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Counter({("create", "pods"): 30, ("create", "events"): 30, ("patch", "durableworkflows/status"): 75})
    monkeypatch.setattr(fleet_run, "writes", lambda size: written if size is fleet.QUICK else Counter())
    others = [figure for figure in fleet.FIGURES if figure.name != "fleet_writes"]
    assert fleet.writes(True).value == 2.5
    assert len(others) == len(fleet.FIGURES) - 1
    for figure in others:
        with pytest.raises(Unavailable, match="leave --quick away"):
            figure.take(True)


def test_a_smaller_fleet_has_fewer_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fleet", "--json", "--workflows", "400"])
    assert fleet._more(False) == {"workflows": 400, "tenants": 5, "failing": 40}
    monkeypatch.setattr(sys, "argv", ["fleet"])
    assert fleet._more(False) == {"workflows": 10_000, "tenants": 20, "failing": 1_000}


@pytest.mark.parametrize("told", ["", "many", "19", "-1", "50001", "1e4"])
def test_a_number_of_workflows_that_cannot_be_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fleet", "--workflows", told])
    with pytest.raises(SystemExit):
        fleet._more(False)


def test_the_page_shows_the_recorded_figures_and_of_how_many_workflows_they_are() -> None:
    document = json.loads(fleet_docs.RECORD.read_text())
    shown = fleet_docs.block(fleet.FIGURES, document)
    assert docs_block.written_block(docs_block.PAGE.read_text(), "fleet") == shown
    assert f"With {document['workflows']:,} workflows of " in shown
    recorded = [one["name"] for one in (*document["results"], *document["skipped"])]
    assert recorded == [figure.name for figure in fleet.FIGURES]


def test_the_version_of_kwok_is_pinned() -> None:
    assert re.fullmatch(r"v\d+\.\d+\.\d+", builds.required_version("kwok", "sigs.k8s.io/kwok"))


def test_no_program_of_the_control_plane_is_told_the_same_twice(tmp_path: Path) -> None:
    for command in commands(tmp_path, Authority(tmp_path), tmp_path).values():
        flags = [argument.partition("=")[0] for argument in command[1:]]
        assert len(flags) == len(set(flags))
