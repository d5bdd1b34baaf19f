"""Does an editor stop at the event, in the user's code and with its variables?"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from adapter_client import AdapterClient
from click.testing import CliRunner
from test_docs_commands import WITHIN_SECONDS

from dormouse._commands import root
from dormouse.testing import Durable
from dormouse_observer.code import workflows_of
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "debugging.md"
COMMAND = [sys.executable, "-c", "from dormouse.cli import main; main()", "debug", "test.sqlite", "--code"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the page's workflow has done."""
    write_titled(PAGE, tmp_path)
    (workflow,) = workflows_of(str(tmp_path / "bureau.py")).values()
    durable = Durable(tmp_path)

    async def record() -> None:
        async with durable.engine([workflow]) as engine:
            await engine.start("exchange", "EUR", id="change-1")
            await engine.sleep(1)

    asyncio.run(record())
    return tmp_path


def test_an_editor_stops_at_the_event_and_at_its_own_breakpoint(folder: Path) -> None:
    (attach,) = (json.loads(block.text) for block in blocks(PAGE, "json"))
    (configuration,) = attach["configurations"]
    code = folder / "bureau.py"
    paying = 1 + code.read_text().splitlines().index("    return await pay_out(bought, currency)")
    listening = [*COMMAND, "bureau.py", "--execution", "change-1", "--break-at", "3", "--listen", "127.0.0.1:0"]
    with attached(listening, folder, configuration, {code: paying}) as (process, editor):
        assert seen(editor) == ("exchange", paying - 1, {"currency": "'EUR'", "euros": "100", "price": "1.0"})
        assert seen(editor)[:2] == ("exchange", paying)
        at_the_end = ("exchange", paying, {"bought": "100.0", "currency": "'EUR'", "euros": "100", "price": "1.0"})
        assert seen(editor) == at_the_end
        assert seen(editor) == at_the_end, "nothing follows, so it stays"
        editor.event("stopped")
        editor.ask("disconnect")
        assert process.stderr is not None
        *_, end = process.stderr.read().splitlines()
    assert (process.returncode, end) == (
        0,
        f"the end of the log: execution 'change-1' is Completed, and has ended in bureau.py:{paying}",
    )


WAITING = """\
from dormouse import Signal, workflow

word = Signal("word", str)


async def heard(number: int) -> str:
    return await word.receive()


@workflow
async def listens(name: str) -> str:
    greeting = f"for {name}"
    return greeting + await heard(7)


@workflow
async def breaks(name: str) -> str:
    length = len(name)
    return "x" * (length // 0)
"""


@pytest.mark.parametrize(
    ("workflow", "line", "shown"),
    [("listens", 7, {"number": "7"}), ("breaks", 19, {"name": "'ada'", "length": "3"})],
)
def test_at_the_end_of_the_log_an_editor_sees_where_the_code_waits_or_has_raised(
    tmp_path: Path, workflow: str, line: int, shown: dict[str, str]
) -> None:
    (tmp_path / "listening.py").write_text(WAITING)
    known = list(workflows_of(str(tmp_path / "listening.py")).values())
    durable = Durable(tmp_path)

    async def record() -> None:
        async with durable.engine(known) as engine:
            await engine.start(workflow, "ada", id="one")
            await engine.sleep(1)

    asyncio.run(record())
    command = [*COMMAND, "listening.py", "--execution", "one", "--listen", "127.0.0.1:0"]
    with attached(command, tmp_path, {"justMyCode": True}, {}) as (process, editor):
        assert seen(editor)[0] == workflow
        name, stands, variables = seen(editor)
        assert (stands, variables) == (line, shown)
        assert name == ("heard" if workflow == "listens" else "breaks")
        editor.event("stopped")
    assert process.wait(WITHIN_SECONDS) == 0, "an editor that is gone lets go too"


BESIDE = """\
import asyncio

from dormouse import activity, workflow


@activity
async def double(number: int) -> int:
    return 2 * number


async def quadruple(number: int) -> int:
    doubled = await double(number)
    return 2 * doubled


@workflow
async def counts(number: int) -> int:
    found = await asyncio.gather(quadruple(number), quadruple(1))
    return sum(found)
"""


def test_next_in_an_editor_leads_from_the_end_of_a_task_to_who_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(BESIDE)
    known = list(workflows_of(str(tmp_path / "counting.py")).values())
    durable = Durable(tmp_path)

    async def record() -> None:
        async with durable.engine(known) as engine:
            await engine.start("counts", 3, id="one")
            await engine.sleep(1)

    asyncio.run(record())
    shown = CliRunner().invoke(root, ["history", str(tmp_path / "test.sqlite"), "one", "-o", "json"]).stdout
    *_, at = (str(event["position"]) for event in json.loads(shown)["events"] if event["kind"] == "ActivityCompleted")
    command = [*COMMAND, "counting.py", "--execution", "one", "--break-at", at, "--listen", "127.0.0.1:0"]
    with attached(command, tmp_path, {"justMyCode": True}, {}) as (process, editor):
        assert seen(editor, "next")[:2] == ("quadruple", 13)
        assert seen(editor, "next") == ("counts", 19, {"found": "[12, 4]", "number": "3"})
        seen(editor)
        editor.event("stopped")
    assert process.wait(WITHIN_SECONDS) == 0


@contextmanager
def attached(
    command: list[str], folder: Path, configuration: dict[str, Any], breakpoints: dict[Path, int]
) -> Iterator[tuple[subprocess.Popen[str], AdapterClient]]:
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.fullmatch(r"waiting for an editor on (127\.0\.0\.1):(\d+)\n", said)
            assert found is not None, said
            with AdapterClient(found[1], int(found[2]), WITHIN_SECONDS) as editor:
                editor.ask("initialize", adapterID="debugpy", pathFormat="path")
                attaching = editor.send("attach", **configuration)
                editor.event("initialized")
                for path, line in breakpoints.items():
                    editor.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}])
                editor.ask("configurationDone")
                editor.answer(attaching)
                yield process, editor
        except BaseException:
            process.kill()
            raise


def seen(editor: AdapterClient, then: str = "continue") -> tuple[str, int, dict[str, str]]:
    """Where it stops next, and what it shows there; then it goes on."""
    thread = editor.event("stopped")["threadId"]
    frame = editor.ask("stackTrace", threadId=thread)["stackFrames"][0]
    scope = editor.ask("scopes", frameId=frame["id"])["scopes"][0]
    variables = editor.ask("variables", variablesReference=scope["variablesReference"])["variables"]
    editor.ask(then, threadId=thread)
    return frame["name"], frame["line"], {one["name"]: one["value"] for one in variables}


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("0.0.0.0:5678", "whoever reaches 0.0.0.0 could run code here"),
        ("5678", "is no HOST:PORT"),
        ("127.0.0.1:99999", "is no HOST:PORT"),
    ],
)
def test_an_address_that_others_reach_or_that_is_none_is_refused(folder: Path, listen: str, said: str) -> None:
    command = ["debug", str(folder / "test.sqlite"), "--code", str(folder / "bureau.py"), "--execution", "change-1"]
    refused = CliRunner().invoke(root, [*command, "--listen", listen])
    assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr


def test_without_debugpy_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "debugpy", None)
    command = ["debug", str(folder / "test.sqlite"), "--code", str(folder / "bureau.py"), "--execution", "change-1"]
    refused = CliRunner().invoke(root, [*command, "--listen", "127.0.0.1:0"])
    assert refused.exit_code == 1
    assert "`dormouse debug --listen` needs the module 'debugpy'" in refused.stderr
    assert "[debugger]" in refused.stderr
