"""Do the numbers of a keeper, written by hand, read as Prometheus reads them?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from dormouse.engine.tally import Durations
from dormouse.keeper.figures import Figures, exposition
from dormouse.keeper.steps import Step, Steps
from dormouse.replica.requests import Requests
from dormouse.replica.store import StoreConflict, StoreUnknown

LITESTREAM = """# HELP go_goroutines Number of goroutines.
# TYPE go_goroutines gauge
go_goroutines 19
# HELP litestream_replica_operation_total The number of replica operations performed
# TYPE litestream_replica_operation_total counter
litestream_replica_operation_total{operation="PUT",replica_type="s3"} 3
process_resident_memory_bytes 3.4e+07
"""
FIGURES = Figures(
    epoch=7,
    is_ready=True,
    lag_seconds=0.25,
    barriers=Durations(),
    store_trouble="",
    proven_seconds=1.5,
    steps=(Step("claim", 1_000_000_000, 1_500_000_000), Step("restore", 0, 2_000_000_000, facts={"bytes": 8192})),
    litestream=LITESTREAM,
)


def values(figures: Figures, requests: Requests | None = None) -> dict[tuple[str, ...], float]:
    text = exposition(figures, requests or Requests())
    return {(sample.name, *sample.labels.values()): sample.value for one in read_text(text) for sample in one.samples}


def test_the_numbers_are_those_of_the_life() -> None:
    durations, requests = Durations(), Requests()
    for milliseconds in (3, 20_000):
        durations.add(milliseconds * 1_000_000)
    requests.add("get", "answered")
    requests.bytes["get"] += 100
    found = values(replace(FIGURES, barriers=durations), requests)
    assert found["dormouse_keeper_epoch",] == 7
    assert found["dormouse_keeper_ready",] == 1
    assert found["dormouse_keeper_lag_seconds",] == 0.25
    assert found["dormouse_keeper_ownership_proven_seconds",] == 1.5
    assert found["dormouse_keeper_barrier_seconds_sum",] == 20.003
    assert found["dormouse_keeper_barrier_seconds_bucket", "0.00838861"] == 1
    assert found["dormouse_keeper_barrier_seconds_bucket", "+Inf"] == 2
    assert found["dormouse_keeper_barrier_seconds_count",] == 2
    assert found["dormouse_keeper_step_seconds", "claim"] == 0.5
    assert found["dormouse_keeper_restored_bytes",] == 8192
    assert found["dormouse_keeper_store_requests_total", "get", "answered"] == 1
    assert found["dormouse_keeper_store_requests_total", "get", "failed"] == 0
    assert found["dormouse_keeper_store_bytes_total", "get"] == 100


def test_of_litestream_only_what_it_says_of_replication_is_passed_on() -> None:
    names = {name for name, *_ in values(FIGURES)}
    assert {name for name in names if not name.startswith("dormouse_keeper_")} == {"litestream_replica_operation_total"}


def test_a_store_keeps_up_once_the_gate_is_open_and_nothing_is_in_its_way() -> None:
    told = [
        values(figures)["dormouse_keeper_store_keeps_up",]
        for figures in (FIGURES, replace(FIGURES, store_trouble="no route"), replace(FIGURES, barriers=None))
    ]
    assert told == [1, 0, 0]


def test_a_life_that_was_never_proven_and_a_step_that_lasts_have_no_number() -> None:
    young = replace(FIGURES, proven_seconds=None, steps=(Step("claim", 1_000_000_000),), litestream="")
    names = {name for name, *_ in values(young)}
    assert {"dormouse_keeper_ownership_proven_seconds", "dormouse_keeper_step_seconds"}.isdisjoint(names)
    assert "dormouse_keeper_restored_bytes" not in names


def test_a_step_that_an_error_ended_is_told_as_failed() -> None:
    steps = Steps()
    with steps.step("claim"):
        pass
    with suppress(ZeroDivisionError), steps.step("restore") as restoring:
        restoring.facts["bytes"] = 3
        raise ZeroDivisionError
    assert [(step.name, step.failed, step.facts) for step in steps.taken] == [
        ("claim", False, {}), ("restore", True, {"bytes": 3}),
    ]  # fmt: skip
    assert all(0 < step.began_ns <= step.ended_ns for step in steps.taken)


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "answered"), (StoreConflict("412"), "answered"), (StoreUnknown("timeout"), "failed")]
)
def test_a_condition_that_did_not_hold_is_an_answer(error: Exception | None, outcome: str) -> None:
    requests = Requests()
    with suppress(StoreUnknown), requests.counted("put"):
        if error is not None:
            raise error
    assert {key: count for key, count in requests.counts.items() if count} == {("put", outcome): 1}
