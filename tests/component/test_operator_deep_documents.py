"""Does an object that is nested as deeply as an API server takes it leave all others alone? A program of its own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from operator_fleet import Fleet, Tell, telling
from operator_process import ended, started

from dormouse_operator.dev.seaweedfs import SeaweedFS

LEVELS = 9_900
"""Go's decoder, and with it an API server, takes ten thousand."""
DEEP: dict[str, Any] = {"workflow": "main"}


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


@pytest.fixture(autouse=True)
def deep_server() -> Iterator[None]:
    """The small API server copies what it holds in Python; the operator has a process of its own."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(4 * LEVELS)
    yield
    sys.setrecursionlimit(before)


def nested(levels: int = LEVELS) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = {"inner": value}
    return value


async def apply_deep(made: Fleet, name: str, **spec: Any) -> None:
    await made.apply(name, **{"start": {"workflow": "main"}, **spec})


async def is_refused(made: Fleet, name: str, path: str) -> None:
    await made.server.until(lambda: made.condition("Stalled", name).get("reason") == "InvalidTemplate")
    assert f"{path}: is nested more than 64 levels deep; make it flatter" in made.condition("Stalled", name)["message"]


def test_one_that_is_there_already_and_one_that_comes_are_refused_and_others_are_served(
    tell: Tell, tmp_path: Path
) -> None:
    async def story(made: Fleet) -> None:
        await made.apply_store()
        await apply_deep(made, "first", start={"workflow": "main", "input": nested()})
        process = await started(made, tmp_path)
        await made.apply()
        await made.runs("report-e1")
        await made.phase("Running")
        await is_refused(made, "first", "spec.start.input")
        await apply_deep(made, "second", template={"spec": {"affinity": nested()}})
        await is_refused(made, "second", "spec.template.spec")
        await made.apply("another")
        await made.server.until(lambda: "another-e1" in made.server.names("pods"))
        process.send_signal(signal.SIGTERM)
        said = await ended(process)
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "the watches ended" not in said

    tell(story)
