"""What does a report say of the replication, and what may one hold?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dormouse.keeper.report import (
    LARGEST_REPORT_BYTES,
    LONGEST_TEXT,
    MOST_BLOCKED,
    RecoveryWindow,
    Report,
    replication_of,
    window_of,
)
from dormouse.keeper.settings import parse
from dormouse.pod import InvalidSettings

NOW = datetime(2026, 3, 1, 12, 0, 40, tzinfo=UTC)
TROUBLE = "commits wait for the store: no answer"
SMALLEST = {"name": "report", "namespace": "team", "workflowUID": "uid", "podUID": "pod", "epoch": 1}


def test_a_store_that_keeps_up_is_fresh() -> None:
    assert replication_of("", 0, None, NOW).state == "Fresh"


def test_a_store_that_does_not_answer_is_told_with_the_moment_since_when_and_no_duration() -> None:
    said = replication_of(TROUBLE, 40, None, NOW)
    assert (said.state, said.message) == ("StoreUnreachable", f"{TROUBLE} (since 2026-03-01T12:00:00Z)")


@pytest.mark.parametrize(("overdue", "state"), [(29, "StoreUnreachable"), (31, "LagOverBound")])
def test_with_async_the_lag_counts_once_it_is_over_the_bound(overdue: float, state: str) -> None:
    assert replication_of(TROUBLE, overdue, 30, NOW).state == state


def test_a_report_with_fields_of_a_newer_worker_is_read() -> None:
    read = msgspec.json.decode(msgspec.json.encode({**SMALLEST, "newer": {"a": 1}}), type=Report)
    assert (read.workflow_uid, read.pod_uid, read.runtime) == ("uid", "pod", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", 0),
        ("name", ""),
        ("replication", {"state": "Fine"}),
        ("runtime", {"executions": {"open": -1}}),
        ("runtime", {"executions": {}, "blocked": [{"execution": "a", "reason": "no reason", "message": ""}]}),
        ("runtime", {"executions": {}, "waitingFor": "x" * LARGEST_REPORT_BYTES}),
    ],
)
def test_a_report_that_would_not_fit_a_status_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        msgspec.json.decode(msgspec.json.encode({**SMALLEST, field: value}), type=Report)


def test_the_largest_report_fits_into_a_request() -> None:
    longest = "\x1b" * LONGEST_TEXT  # six bytes each in JSON
    blocked = [{"execution": "\x1b" * 253, "reason": "r" * 64, "message": longest}] * MOST_BLOCKED
    runtime = {"executions": {}, "blocked": blocked, "waitingFor": longest, "nextWakeAt": "n" * 64}
    said = {**SMALLEST, "runtime": runtime, "replication": {"state": "LagOverBound", "message": longest}}
    encoded = msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(said), type=Report))
    assert len(encoded) <= LARGEST_REPORT_BYTES


def settings_with(url: str) -> dict[str, str]:
    return {
        "DORMOUSE_NAME": "report",
        "DORMOUSE_NAMESPACE": "team",
        "DORMOUSE_WORKFLOW_UID": "uid",
        "DORMOUSE_POD_UID": "pod",
        "DORMOUSE_EPOCH": "1",
        "DORMOUSE_STORE_BUCKET": "bucket",
        "DORMOUSE_OPERATOR_URL": url,
    }


def test_without_a_url_there_are_no_reports() -> None:
    assert parse(settings_with("")).operator is None


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("http://operator.system.svc:8082", "operator.system.svc", 8082), ("http://10.0.0.1/", "10.0.0.1", 80)],
)
def test_the_url_says_where_reports_go(url: str, host: str, port: int) -> None:
    operator = parse(settings_with(url)).operator
    assert operator is not None
    assert (operator.host, operator.port, str(operator.token_file)) == (host, port, "/var/run/dormouse/token")


@pytest.mark.parametrize("url", ["https://operator:1", "operator:1", "http://operator:99999", "http://a b"])
def test_a_url_that_is_none_is_refused_by_the_name_of_its_variable(url: str) -> None:
    with pytest.raises(InvalidSettings, match="DORMOUSE_OPERATOR_URL must be a URL such as"):
        parse(settings_with(url))


def test_the_window_ends_where_the_overdue_barrier_began() -> None:
    begins = NOW - timedelta(hours=1)
    assert window_of(begins, 10, NOW) == RecoveryWindow("2026-03-01T11:00:40.000Z", "2026-03-01T12:00:30.000Z")
    assert window_of(begins, 7200, NOW) == RecoveryWindow("2026-03-01T11:00:40.000Z", "2026-03-01T11:00:40.000Z")
    assert window_of(None, 0, NOW) is None
