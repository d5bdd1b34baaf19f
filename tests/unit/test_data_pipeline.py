"""Does the example report what the data files say, and does every attempt leave its object?

The numbers come a second time from examples/data_pipeline/expected.py, by SQL.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import yaml
from obstore.store import MemoryStore

from dormouse import Engine

EXAMPLE = Path(__file__).parents[2] / "examples" / "data_pipeline"
ORDER = {"pace_seconds": 0, "rest_seconds": 0, "planned_failures": 0}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module, imported from its folder as a pod does, with a store in memory."""
    monkeypatch.syspath_prepend(EXAMPLE)
    import pipeline

    store = MemoryStore()
    monkeypatch.setattr(pipeline, "object_store", lambda: store)
    yield pipeline
    for name in ("pipeline", "measures", "expected"):
        sys.modules.pop(name, None)


def expected_report() -> dict[str, Any]:
    import expected

    report: dict[str, Any] = expected.expected_report()
    return report


async def run(example: ModuleType, database: Path, order: dict[str, Any]) -> Any:
    async with Engine(database, workflows=example) as engine:
        await engine.start("data_pipeline", order, id="main")
        return msgspec.to_builtins(await engine.result("main"))


def attempts(store: MemoryStore) -> Counter[str]:
    """How many attempt objects each activity left, by its name."""
    listed = [entry["path"] for page in store.list("attempts/") for entry in page]
    return Counter(path.split("/")[3].rpartition("-")[0] for path in listed)


def test_the_report_says_what_sql_finds_in_the_same_files(example: ModuleType, tmp_path: Path) -> None:
    published = asyncio.run(run(example, tmp_path / "db.sqlite", ORDER))
    assert published["report"] == expected_report()


def test_the_receipt_is_the_reports_own_fingerprint(example: ModuleType, tmp_path: Path) -> None:
    published = asyncio.run(run(example, tmp_path / "db.sqlite", ORDER))
    assert published["receipt"] == sha256(msgspec.json.encode(published["report"])).hexdigest()[:12]


def test_the_published_object_is_the_result(example: ModuleType, tmp_path: Path) -> None:
    published = asyncio.run(run(example, tmp_path / "db.sqlite", ORDER))
    stored = example.object_store().get("reports/data_pipeline/main.json").bytes()
    assert msgspec.json.decode(bytes(stored)) == published


@pytest.mark.parametrize("planned_failures", [0, 2])
def test_every_attempt_leaves_one_object(example: ModuleType, tmp_path: Path, planned_failures: int) -> None:
    asyncio.run(run(example, tmp_path / "db.sqlite", ORDER | {"planned_failures": planned_failures}))
    assert attempts(example.object_store()) == {
        "survey_airports": 1,
        "survey_cars": 1,
        "survey_weather": 1,
        "survey_stocks": 1,
        "year_of_weather": 4,
        "stock_growth": 5,
        "register": 1 + planned_failures,
        "publish": 1,
    }


def test_a_finished_pipeline_runs_nothing_again(example: ModuleType, tmp_path: Path) -> None:
    first = asyncio.run(run(example, tmp_path / "db.sqlite", ORDER))
    counted = attempts(example.object_store())
    assert asyncio.run(run(example, tmp_path / "db.sqlite", ORDER)) == first
    assert attempts(example.object_store()) == counted


def test_a_store_that_nobody_configured_is_named_with_the_remedy(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("PIPELINE_BUCKET", raising=False)
    with pytest.raises(RuntimeError, match=r"PIPELINE_BUCKET.*dormouse\.yaml"):
        example.object_store()


def test_the_manifest_starts_a_workflow_that_exists_with_an_input_that_fits(example: ModuleType) -> None:
    spec = yaml.safe_load((EXAMPLE / "dormouse.yaml").read_text())["spec"]
    assert spec["entrypoint"] == example.__name__
    assert callable(getattr(example, spec["start"]["workflow"]))
    order = msgspec.convert(spec["start"]["input"], example.Order)
    assert msgspec.to_builtins(order) == spec["start"]["input"]
