"""Do the examples in the help of the verbs work? Run over the workflows of the page on the command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from test_docs_commands import in_another_terminal

from dormouse._commands import _OWN, root
from dormouse.client import Client
from dormouse.commands.verb import Verb
from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, write_titled

SHOWN = "http://localhost:8080"
IN_THEIR_ORDER = (
    *("lint", "start", "list", "show", "history", "result", "signal", "query", "update"),
    *("approvals", "approve", "reject", "cancel", "terminate", "retry", "resume"),
)


ELSEWHERE = {
    *("debug", "diff", "drill", "exec", "export", "fork", "import", "open", "pull", "replay", "report", "sql", "tree"),
}
"""They need a store, a file or a pod, which the tests of their pages have."""
OF_A_CLUSTER = {"doctor", "logs", "status", "suspend"}


def verbs() -> dict[str, Verb]:
    with click.Context(root) as context:
        found = {name: root.get_command(context, name) for name in _OWN}
    return {name: command for name, command in found.items() if isinstance(command, Verb)}


def examples_of(name: str) -> list[str]:
    return list(verbs()[name].examples)


def test_each_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_titled(REPOSITORY / "docs" / "cli.md", tmp_path)
    url = f"http://localhost:{free_ports(1)[0]}"
    (serve,) = examples_of("run")
    with in_another_terminal(f"{serve} --port {url.rpartition(':')[2]}", tmp_path, f"{url}/readyz"):
        with Client(url) as client:
            client.start("order", ["later"], id="order-2")
            client.start("basket", id="basket-1")
            client.start("give_back", 900, id="refund-1")
            client.start("give_back", 900, id="refund-2")
        for name in IN_THEIR_ORDER:
            for example in examples_of(name):
                if name == "resume" and SHOWN not in example:
                    continue  # of a cluster
                _, *arguments = shlex.split(example.replace(SHOWN, url))
                ended = CliRunner().invoke(root, arguments)
                assert ended.exit_code == 0, f"{example}\n{ended.output}"


def test_each_verb_is_among_them() -> None:
    assert {"run", *IN_THEIR_ORDER, *ELSEWHERE, *OF_A_CLUSTER} == set(verbs())


@pytest.mark.parametrize("name", ["run", *IN_THEIR_ORDER, *sorted(ELSEWHERE | OF_A_CLUSTER)])
def test_each_example_stands_in_the_help_as_it_is_typed(name: str) -> None:
    command = verbs()[name]
    with click.Context(command, info_name=name) as context:
        shown = command.get_help(context).splitlines()
    assert [example for example in examples_of(name) if f"  {example}" not in shown] == []
    takes_target = any(isinstance(one, click.Argument) and one.name == "target" for one in command.params)
    assert ("TARGET is one of:" in shown) == takes_target


READS_FILES = {"approvals", "history", "list", "result", "show"}


def test_the_help_offers_a_file_where_a_file_is_taken(tmp_path: Path) -> None:
    file = str(tmp_path / "orders.sqlite")
    taking = [
        name
        for name, one in verbs().items()
        if any(each.name == "target" and isinstance(each, click.Argument) for each in one.params)
    ]
    assert set(taking) > READS_FILES
    for name in taking:
        shown = " ".join(CliRunner().invoke(root, [name, "--help"]).stdout.split())
        refuses = "A database file can only be read, and this needs a runtime: serve the file with"
        assert ("orders.sqlite A database file. It is only read." in shown) == (name in READS_FILES), name
        assert (refuses in shown) == (name not in READS_FILES), name
        words = [file if word == SHOWN else word for word in shlex.split(examples_of(name)[0])[1:]]
        ended = CliRunner().invoke(root, words)
        assert ("files are only read; this needs a runtime" in ended.stderr) == (name not in READS_FILES), name


def test_the_example_of_dev_is_one_of_the_authors_page() -> None:
    with click.Context(root) as context:
        dev = root.get_command(context, "dev")
    assert dev is not None
    (example,) = re.findall(r"^  (dormouse dev .*)$", dev.epilog or "", re.MULTILINE)
    assert example in (REPOSITORY / "docs" / "writing-workflows.md").read_text()
