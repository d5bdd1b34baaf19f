"""Does `dormouse lint` find the files that are meant, and does it end as it should?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dormouse._commands import root

CLEAN = "from dormouse import workflow\n\n\n@workflow\nasync def order() -> None: ...\n"
WRONG = "import time\n" + CLEAN.replace("...", "time.monotonic()")


def lint(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["lint", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("shop/__init__.py", "shop/orders.py", "shop/.venv/wrong.py", "shop/env/wrong.py", "clean.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(WRONG if name.endswith(("orders.py", "wrong.py")) else CLEAN)
    (tmp_path / "shop" / "env" / "pyvenv.cfg").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["shop/orders.py", "shop.orders", "shop", "."])
def test_a_file_a_module_a_package_and_a_folder_are_read(folder: Path, target: str) -> None:
    ended = lint(target)
    assert ended.exit_code == 1
    assert [line.partition(": ")[0] for line in ended.output.splitlines()] == ["shop/orders.py:6:28"]


def test_nothing_found_ends_well(folder: Path) -> None:
    ended = lint("clean.py", "clean")
    assert (ended.exit_code, ended.output) == (0, "nothing found in 1 file\n")


def test_all_files_are_counted(folder: Path) -> None:
    assert lint("clean", "shop/__init__.py").output == "nothing found in 2 files\n"


def test_programs_get_json(folder: Path) -> None:
    ended = lint("shop", "-o", "json")
    (finding,) = json.loads(ended.output)
    assert finding.keys() == {"path", "line", "column", "code", "message", "remedy"}
    assert (finding["path"], finding["line"], finding["code"]) == ("shop/orders.py", 6, "clock")
    assert json.loads(lint("clean", "-o", "json").output) == []


def test_what_is_not_there_is_a_wrong_command_line(folder: Path) -> None:
    ended = lint("shops")
    assert ended.exit_code == 2
    assert "shops is no file, no folder, and no module" in ended.output


def test_a_file_that_is_no_text_is_said_to_be_none(folder: Path) -> None:
    (folder / "clean.py").write_bytes(b"\xff\xfe")
    assert "clean.py" in lint("clean.py").output
    assert lint("clean.py").exit_code == 1
