"""Does a scrape of the operator say what the page promises, in a form that Prometheus reads?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dormouse_operator.controller.figures import Figures, Leading
from dormouse_operator.controller.metrics import exposition
from dormouse_operator.controller.standing import Standing
from dormouse_operator.controller.tally import Tally
from dormouse_operator.controller.work_queue import Load
from markdown_blocks import REPOSITORY

PAGE = REPOSITORY / "docs" / "observability.md"
STANDING = Standing(
    workflows=Counter({("team", "Running"): 2}),
    troubles=Counter({("team", "Stalled", "StoreNotFound"): 1}),
    troubled_since={("team", "Stalled"): 86400.0},
    pods=Counter({("team", "Running"): 2}),
    stores=Counter({("team", "True"): 1}),
)
LEADER = Figures(is_ready=True, leading=Leading(Load(3, 1.5, 2, 1), STANDING))
STANDBY = Figures(is_ready=True, leading=None)


def scraped(tally: Tally, figures: Figures, accept: str = "") -> str:
    return exposition(tally, figures, accept)[0].decode()


def values(text: str) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sample.labels.values()): sample.value for one in read_text(text) for sample in one.samples}


def test_the_table_on_the_page_is_what_is_scraped() -> None:
    table = PAGE.read_text().partition("| metric of the operator |")[2].partition("\n\n")[0]
    shown = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(dormouse_\w+)` \|([^|]*)\|", table, re.MULTILINE)
    }
    tally = Tally()
    tally.requests["get", "pods", "200"] += 1
    found: dict[str, set[str]] = {}
    for family in read_text(scraped(tally, LEADER)):
        if not family.name.startswith("process_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert found == shown


def test_only_the_leader_answers_for_the_fleet_and_the_page_has_those_metrics_last() -> None:
    leader, standby = ({key[0] for key in values(scraped(Tally(), one))} for one in (LEADER, STANDBY))
    table = PAGE.read_text().partition("| metric of the operator |")[2].partition("\n\n")[0]
    names = re.findall(r"^\| `(dormouse_\w+)`", table, re.MULTILINE)
    assert leader - standby == set(names[-9:])
    assert standby <= leader


def test_the_numbers_are_those_of_the_replica() -> None:
    tally = Tally()
    tally.reconciles["workflow", "conflict"] += 2
    tally.reconciling["workflow"].add(3_000_000)
    tally.failovers.add(20_000_000_000)
    found = values(scraped(tally, LEADER))
    assert found["dormouse_operator_leader",] == 1
    assert found["dormouse_operator_reconciles_total", "workflow", "conflict"] == 2
    assert found["dormouse_operator_reconciles_total", "store", "mistake"] == 0
    assert found["dormouse_operator_reconcile_seconds_sum", "workflow"] == 0.003
    assert found["dormouse_operator_failover_seconds_bucket", "17.1799"] == 0
    assert found["dormouse_operator_failover_seconds_bucket", "34.3597"] == 1
    assert found["dormouse_operator_queue_oldest_seconds",] == 1.5
    assert found["dormouse_operator_troubled_workflows", "Stalled", "team", "StoreNotFound"] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert values(scraped(Tally(), STANDBY))["dormouse_operator_leader",] == 0


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    text = scraped(Tally(), LEADER, "application/openmetrics-text; version=1.0.0")
    assert {"dormouse_operator_reconciles", "dormouse_operator_restore_seconds"} <= {
        one.name
        for one in read_openmetrics(text)  # type: ignore[no-untyped-call]
    }


def test_an_operator_that_nobody_scrapes_has_not_loaded_it() -> None:
    code = "import sys, dormouse_operator.controller.running; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("figures", [LEADER, STANDBY], ids=["leader", "standby"])
def test_every_metric_says_what_it_is(figures: Figures) -> None:
    assert [family.name for family in read_text(scraped(Tally(), figures)) if not family.documentation] == []
