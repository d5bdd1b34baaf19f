"""Do the queries that have names find what they say, in files that a real engine has written?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result
from observed_files import make

from dormouse import RetryPolicy, activity, workflow
from dormouse._commands import root
from dormouse.encryption import AesGcm
from dormouse_observer.canned import CANNED
from dormouse_observer.querying import Rows, query

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["columns", "rows"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": ["string", "number", "null"]}}},
    },
}
KEYS = AesGcm({"k1": b"k" * 32})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("canned") / "orders.sqlite")


def asked(name: str, *files: Path, **more: Any) -> list[dict[str, Any]]:
    return as_dicts(query(files, name, limit=100, seconds=10, **more))


def as_dicts(found: Rows) -> list[dict[str, Any]]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def run(*command: object) -> Result:
    return CliRunner().invoke(root, [str(part) for part in command])


def test_stuck_is_what_waits_for_somebody_or_fails_but_not_what_sleeps(file: Path) -> None:
    found = {row["id"]: row for row in asked("stuck", file)}
    assert sorted(found) == ["agent-1", "order-1", "refund-1", "stubborn-1"]
    assert found["stubborn-1"]["last_error"] == "the shop does not answer"
    assert found["refund-1"]["last_event"] == "ApprovalRequested"


def test_a_retry_storm_is_told_with_its_attempts_and_its_last_error(tmp_path: Path) -> None:
    from dormouse.testing import Durable

    @activity(retry=RetryPolicy(attempts=4, initial_seconds=0.001, maximum_seconds=0.001))
    async def knock(door: str) -> str:
        raise OSError(f"nobody opens {door}")

    @workflow
    async def visit(door: str) -> str:
        return await knock(door)

    durable = Durable(tmp_path)
    with pytest.raises(Exception, match="nobody opens"):
        durable.run(visit, "number 7", id="visit-1")
    (row,) = asked("retry_storms", durable.database)
    assert (row["id"], row["activity"], row["last_error"]) == ("visit-1", "knock", "nobody opens number 7")
    assert row["attempts"] >= 3


def test_the_slowest_steps_are_at_most_ten_of_each_file(file: Path) -> None:
    found = asked("slowest_steps", file, file)
    assert len(found) == 20
    spent = [row["milliseconds"] for row in found[:10]]
    assert spent == sorted(spent, reverse=True)


def test_what_an_agent_used_is_added_up_by_model(file: Path) -> None:
    (row,) = asked("agent_cost", file)
    assert (row["id"], row["model"], row["calls"]) == ("agent-1", "gpt-5-mini", 2)
    assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (604, 63, 0.0004)


def test_what_the_provider_has_not_told_is_reckoned_by_a_list_of_prices_or_counted(file: Path, tmp_path: Path) -> None:
    (row,) = asked("agent_cost", file)
    assert row["without_price"] == 1
    prices = tmp_path / "prices.toml"
    prices.write_text('date = 2026-05-01\n[models."gpt-5-mini"]\ninput = 1\noutput = 1\n')
    ended = run("sql", "agent_cost", file, "--prices", prices, "-o", "json")
    found = json.loads(ended.stdout)
    (row,) = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert (row["calls"], row["without_price"]) == (2, 0)
    assert 0.0004 < row["cost"] <= 0.0004 + 667 / 1_000_000
    usages = "SELECT json_extract(usage(position), '$.cost') FROM event WHERE usage(position) IS NOT NULL"
    costs = json.loads(run("sql", usages, file, "--prices", prices, "-o", "json").stdout)["rows"]
    assert sum(cost for _, cost in costs) == pytest.approx(row["cost"], abs=1e-6)


def test_a_wrong_list_of_prices_is_refused_before_a_file_is_looked_at(file: Path, tmp_path: Path) -> None:
    ended = run("sql", "agent_cost", file, "--prices", tmp_path / "none.toml")
    assert (ended.exit_code, "'--prices'" in ended.stderr, "cannot read" in ended.stderr) == (2, True, True)


def test_a_payload_is_put_together_and_null_without_its_key(file: Path, tmp_path: Path) -> None:
    sql = "SELECT payload(position) AS value FROM event WHERE kind = 'ActivityCompleted' AND execution = 1"
    large = [json.loads(row["value"]) for row in asked(sql, file)]
    assert any(isinstance(value, dict) and len(value.get("description", "")) > 1000 for value in large)
    sealed = make(tmp_path / "sealed.sqlite", KEYS)
    assert {row["value"] for row in asked(sql, sealed)} == {None}
    assert asked(sql, sealed, codec=KEYS)[0]["value"] is not None
    assert asked("agent_cost", sealed) == []


@pytest.mark.parametrize("name", sorted(CANNED))
def test_each_is_run_by_its_name_and_listed(name: str, file: Path) -> None:
    ended = run("sql", name, file, "-o", "json")
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["columns"][:2] == ["FILE", "id"]
    assert {len(row) for row in found["rows"]} <= {len(found["columns"])}
    assert name in run("sql", "--list").stdout


def test_a_wrong_name_and_a_file_that_is_not_dormouses_are_refused(file: Path, tmp_path: Path) -> None:
    wrong = run("sql", "stcuk", file)
    assert (wrong.exit_code, "there is no query 'stcuk'" in wrong.stderr, "stuck" in wrong.stderr) == (1, True, True)
    text = tmp_path / "text.sqlite"
    text.write_bytes(msgspec.json.encode(["no database"] * 100))
    assert run("sql", "stuck", text).exit_code == 4
