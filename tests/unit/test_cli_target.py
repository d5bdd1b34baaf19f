"""Is it told apart what a TARGET is, and does each verb end with the exit code that its page promises?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.kubectl import Kubectl
from dormouse.commands.target import FileTarget, NameTarget, UrlTarget, parse

STAGE = Kubectl("stage")


@pytest.mark.parametrize(
    ("text", "is_file", "target"),
    [
        ("http://localhost:8080/", False, UrlTarget("http://localhost:8080")),
        ("shop", False, NameTarget("shop", STAGE)),
        ("shop", True, FileTarget(Path("shop"))),
        ("shop.sqlite", False, FileTarget(Path("shop.sqlite"))),
        ("backup/shop", False, FileTarget(Path("backup/shop"))),
    ],
)
def test_a_target_is_a_file_an_address_or_a_name(text: str, is_file: bool, target: object) -> None:
    assert parse(text, STAGE, is_file=is_file) == target


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (["list", "missing.sqlite"], 4, "there is no file"),
        (["list", "http://127.0.0.1:9"], 4, "does not answer"),
        (["start", "orders.sqlite", "order"], 1, "only read"),
        (["signal", "orders.sqlite", "a", "add", "1"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["query", "orders.sqlite", "a", "total"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["update", "orders.sqlite", "a", "redeem", "1"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["cancel", "orders.sqlite", "a"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["terminate", "orders.sqlite", "a"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["retry", "orders.sqlite", "a"], 1, "dormouse run MODULE --database orders.sqlite"),
        (["signal", "http://127.0.0.1:9", "a", "add", "tea"], 2, "not JSON"),
        (["update", "http://127.0.0.1:9", "a", "redeem"], 2, "VALUE"),
        (["cancel", "http://127.0.0.1:9", "a"], 4, "does not answer"),
        (["start", "http://127.0.0.1:9", "order", "tea"], 2, "not JSON"),
        (["start", "http://127.0.0.1:9", "order", "@missing.json"], 2, "missing.json"),
        (["show", "orders.sqlite"], 2, "EXECUTION"),
        (["lits", "orders.sqlite"], 2, "'lint', 'list'?"),
        (["list", "localhost:8102"], 2, "a runtime is http://localhost:8102"),
        (["start", "[::1]:8102/", "order"], 2, "a runtime is http://[::1]:8102/"),
        (["list", "http://localhost:99999"], 2, "Port out of range 0-65535"),
        (["list", "ftp://localhost"], 2, "no address of a runtime"),
        (["list", "http://"], 2, "no address of a runtime"),
        (["list", "s3://bucket/shop/orders"], 2, "`dormouse pull s3://bucket/shop/orders`"),
        (["run", "missing.py"], 2, "there is no file missing.py"),
        (["run", "."], 2, "'.' is neither a Python file"),
        (["run", "shop/orders"], 2, "'shop/orders' is neither a Python file"),
        (["run", "no-identifier"], 1, "MODULE is a Python file, such as no-identifier.py"),
        (["run", "missing.py", "--host", "0.0.0.0"], 2, "give a --token-file, or say --without-token"),
        (["run", "missing.py", "--host", "example.org"], 2, "whoever reaches example.org"),
        (["run", "missing.py", "--host", "0.0.0.0", "--without-token"], 2, "there is no file missing.py"),
        (["run", "missing.py", "--host", "::1"], 2, "there is no file missing.py"),
        (["run", "nothing_of_this_name", "--token-file", "missing"], 1, "token file missing cannot be read"),
        (["list", "http://127.0.0.1:9", "--token-file", "missing"], 1, "token file missing cannot be read"),
        (["run", "nothing_of_this_name"], 1, "MODULE is a Python file, such as nothing_of_this_name.py"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(line: list[str], code: int, said: str) -> None:
    ended = CliRunner().invoke(root, line)
    assert ended.exit_code == code, ended.output
    assert said in ended.output


def test_the_token_goes_with_the_target() -> None:
    assert parse("http://a", STAGE, is_file=False, token="t") == UrlTarget("http://a", "t")
    assert parse("shop", STAGE, is_file=False, token="t") == NameTarget("shop", STAGE, "t")


def test_a_name_needs_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    ended = CliRunner().invoke(root, ["list", "shop"])
    assert ended.exit_code == 4
    assert "kubectl" in ended.output


def test_a_name_that_no_cluster_has_is_said_to_have_been_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho tried it >&2; echo the connection was refused >&2; exit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    ended = CliRunner().invoke(root, ["list", "claims"])
    assert ended.exit_code == 4
    assert "'claims' is no file and no address as http://HOST:PORT" in ended.output
    assert "DurableWorkflow; kubectl: the connection was refused" in ended.output


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import asyncio\n\nvalue = 1 / 0\n", "Error: ZeroDivisionError: division by zero (mistaken.py:3)\n"),
        ("import asyncio\nimport not_installed\n", "No module named 'not_installed' (mistaken.py:2)\n"),
        ("from dormouse import workflow\n\n\n@workflow\ndef order() -> None: ...\n", "is not one (mistaken.py:4)\n"),
        ("def order(:\n    ...\n", "(mistaken.py:1)\n"),
        ("value = 1\n", "mistaken has no workflow: decorate one with @workflow, or import one\n"),
    ],
)
def test_a_mistake_in_a_module_is_one_line_that_names_the_authors_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    (tmp_path / "mistaken.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    try:
        ended = CliRunner().invoke(root, ["run", "mistaken.py", "--port", "0"])
    finally:
        sys.modules.pop("mistaken", None)
    assert ended.exit_code == 1
    assert ended.output.count("\n") == 1
    assert ended.output.endswith(said)
    assert not list(tmp_path.glob("*.sqlite"))
