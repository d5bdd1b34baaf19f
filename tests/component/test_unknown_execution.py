"""Is an execution that is not there told with the same exit code by every verb, of a file and of a runtime?"""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from test_docs_commands import in_another_terminal

from dormouse._commands import _OWN, root
from dormouse_operator.dev.ports import free_ports

CODE = """\
from dormouse import workflow


@workflow
async def nothing() -> None:
    pass
"""
OF_A_RUNTIME = {
    "show": ("TARGET", "nobody"),
    "history": ("TARGET", "nobody"),
    "result": ("TARGET", "nobody"),
    "approvals": ("TARGET", "nobody"),
    "signal": ("TARGET", "nobody", "go"),
    "query": ("TARGET", "nobody", "state"),
    "update": ("TARGET", "nobody", "change", "1"),
    "approve": ("TARGET", "nobody", "pay", "--digest", "0" * 32),
    "reject": ("TARGET", "nobody", "pay", "--digest", "0" * 32),
    "cancel": ("TARGET", "nobody"),
    "terminate": ("TARGET", "nobody"),
    "retry": ("TARGET", "nobody"),
    "resume": ("TARGET", "--execution", "nobody"),
}
OF_A_FILE = {
    **{verb: OF_A_RUNTIME[verb] for verb in ("show", "history", "result", "approvals")},
    "tree": ("TARGET", "--execution", "nobody"),
    "debug": ("TARGET", "--execution", "nobody", "--code", "nothings.py"),
    "fork": ("TARGET", "--execution", "nobody", "--at", "1", "-o", "forked.sqlite"),
    "replay": ("TARGET", "--execution", "nobody", "--code", "nothings.py"),
    "diff": ("TARGET", "TARGET", "--execution", "nobody"),
}


def test_an_execution_that_is_not_there_is_a_wrong_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nothings.py").write_text(CODE)
    url = f"http://localhost:{free_ports(1)[0]}"
    serve = f"dormouse run nothings.py --port {url.rpartition(':')[2]}"

    def run(target: str, verb: str, given: tuple[str, ...]) -> tuple[int, str]:
        ended = CliRunner().invoke(root, [verb, *(target if one == "TARGET" else one for one in given)])
        return ended.exit_code, ended.stderr

    with in_another_terminal(serve, tmp_path, f"{url}/readyz"):
        told = [run(url, verb, given) for verb, given in OF_A_RUNTIME.items()]
        told += [run("nothings.sqlite", verb, given) for verb, given in OF_A_FILE.items()]
    assert {code for code, _ in told} == {2}, told
    assert [said for _, said in told if "there is no execution 'nobody'" not in said] == []


def test_each_verb_that_takes_an_execution_is_among_them() -> None:
    with click.Context(root) as context:
        commands = {name: root.get_command(context, name) for name in _OWN}
    takes = {
        name
        for name, command in commands.items()
        if command is not None and {"execution", "executions"} & {one.name for one in command.params}
    }
    assert takes == OF_A_RUNTIME.keys() | OF_A_FILE.keys()
