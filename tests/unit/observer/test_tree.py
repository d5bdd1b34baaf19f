"""Does the tree show who called whom, and where each stands?"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from observed_files import make

from dormouse._commands import root
from dormouse.engine.schema import bring_up_to_date

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["executions", "leftOut"],
    "properties": {
        "leftOut": {"type": "integer", "minimum": 0},
        "executions": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "workflow", "status", "depth"],
                "properties": {
                    "id": {"type": "string"},
                    "workflow": {"type": "string"},
                    "status": {"enum": ["Open", "Blocked", "Completed", "Failed", "Cancelled", "Terminated"]},
                    "depth": {"type": "integer", "minimum": 0},
                    "parent": {"type": "string"},
                    "waitsFor": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tree") / "orders.sqlite")


def run(*command: object) -> Result:
    return CliRunner().invoke(root, ["tree", *(str(part) for part in command)])


def test_children_hang_below_who_called_them(file: Path) -> None:
    lines = run(file).stdout.splitlines()
    begins = next(number for number, line in enumerate(lines) if line.startswith("parcels-1 "))
    assert [line.split("parcel ")[0].rstrip() for line in lines[begins + 1 : begins + 4]] == [
        "├─ parcels-1.1",
        "├─ parcels-1.2",
        "└─ parcels-1.3",
    ]


def test_each_says_what_it_waits_for_or_why_it_ended(file: Path) -> None:
    shown = {line.split()[0]: line for line in run(file).stdout.splitlines()}
    assert "the approval refund with the digest" in shown["refund-1"]
    assert "a timer, until" in shown["nap-1"]
    assert "activity never, attempt 2" in shown["stubborn-1"]
    assert "ActivityError: charge failed after 2 attempts" in shown["order-3"]
    assert "the file does not say" in shown["order-1"]


def test_one_is_shown_with_those_below_it(file: Path) -> None:
    assert run(file, "--execution", "parcels-1", "-o", "name").stdout.split() == [
        "parcels-1", "parcels-1.1", "parcels-1.2", "parcels-1.3",
    ]  # fmt: skip
    assert run(file, "--execution", "parcels-1.2", "-o", "name").stdout.split() == ["parcels-1.2"]


def test_the_json_has_its_schema_and_names_the_parents(file: Path) -> None:
    found = json.loads(run(file, "-o", "json").stdout)
    jsonschema.validate(found, SCHEMA)
    parents = {one["id"]: one.get("parent") for one in found["executions"]}
    assert (parents["parcels-1.1"], parents["parcels-1"]) == ("parcels-1", None)
    assert next(one for one in found["executions"] if one["id"] == "nap-1")["waitsFor"]


def test_what_is_beyond_the_limit_is_counted(file: Path) -> None:
    ended = run(file, "--limit", "3", "-o", "name")
    assert len(ended.stdout.split()) == 3
    assert "higher --limit than 3" in ended.stderr


def test_a_chain_of_calls_may_be_of_any_depth_and_a_lost_parent_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / "deep.sqlite"
    with closing(sqlite3.connect(deep)) as connection:
        bring_up_to_date(connection, deep)
        connection.executemany(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at, parent) "
            "VALUES (?, ?, 'link', 'Completed', x'00', x'00', 0, ?)",
            [(key, f"link-{key}", key - 1) for key in range(5, 3005)],
        )
        connection.commit()
    found = json.loads(run(deep, "--limit", "5000", "-o", "json").stdout)["executions"]
    assert (found[0]["id"], found[0]["depth"], found[-1]["depth"]) == ("link-5", 0, 2999)
    assert run(deep).exit_code == 0


def test_what_cannot_be_read_is_told_with_an_exit_code(file: Path, tmp_path: Path) -> None:
    missing = run(tmp_path / "missing.sqlite")
    assert (missing.exit_code, "there is no file" in missing.stderr) == (4, True)
    text = tmp_path / "text.sqlite"
    text.write_text("no database, but long enough to be looked at as one" * 40)
    assert run(text).exit_code == 4
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(file.read_bytes()[:20_000])
    assert run(cut).exit_code == 4
    newer = tmp_path / "newer.sqlite"
    newer.write_bytes(file.read_bytes())
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("UPDATE dormouse_meta SET value = '999' WHERE key = 'engine_schema'")
        connection.commit()
    refused = run(newer)
    assert (refused.exit_code, "newer Dormouse" in refused.stderr) == (1, True)
    unknown = run(file, "--execution", "nobody")
    assert (unknown.exit_code, "there is no execution 'nobody'" in unknown.stderr) == (2, True)
