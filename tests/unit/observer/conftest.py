"""What several tests of `dormouse debug` use: Python keeps a module that it has imported, so there is one folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from debugging_person import Person, record_programs


@pytest.fixture(scope="session")
def debugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs, and of what was recorded with them."""
    folder = tmp_path_factory.mktemp("debugged")
    record_programs(folder)
    return folder


@pytest.fixture
def person(debugged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(debugged, monkeypatch, capsys)
