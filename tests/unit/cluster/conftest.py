"""What do the tests of verbs that ask a cluster share? A kubectl whose answers they set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripted_kubectl import ScriptedKubectl


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedKubectl:
    """The first on PATH."""
    scripted = ScriptedKubectl.in_folder(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{scripted.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return scripted
