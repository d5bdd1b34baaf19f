"""Do the other engines run what the bench asks of them, and leave no server behind?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from contenders import DBOS, RESTATE, TEMPORAL, Contender
from engine_steps import take
from frame import Unavailable


@pytest.mark.long
@pytest.mark.parametrize("contender", [DBOS, RESTATE, TEMPORAL], ids=["dbos", "restate", "temporal"])
def test_it_makes_steps_and_its_server_ends(contender: Contender, tmp_path: Path) -> None:
    try:
        run = take(replace(contender, seconds=2), 3, tmp_path)
    except Unavailable as missing:
        pytest.skip(str(missing))
    assert run.steps_per_second > 0
    assert run.lost == 0
    assert [path for path in processes() if str(tmp_path) in path] == []


def processes() -> list[str]:
    """The command lines of all that runs."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_text().replace("\0", " "))
        except OSError:
            continue  # it has ended meanwhile
    return found
