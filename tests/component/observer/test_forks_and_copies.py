"""Is a fork told from what was recorded, on the pages and in a terminal, and placeholders from values?"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from asked_pages import asking
from click.testing import CliRunner, Result
from observed_files import describe, echo, make

from dormouse import Engine, workflow
from dormouse._commands import root
from dormouse.client.file import DatabaseFile
from dormouse_observer.querying import query

NOTE = "Answer edited in this fork"


def run(*command: object) -> Result:
    return CliRunner().invoke(root, [str(part) for part in command])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("forked") / "agent.sqlite")


def up_to_last_answer(file: Path) -> list[int]:
    """The positions of the agent's events."""
    with DatabaseFile(file) as opened:
        events = [(one.position, one.kind) for one in opened.events(opened.row("agent-1"))]
    last = max(number for number, (_, kind) in enumerate(events) if kind == "ActivityCompleted")
    return [position for position, _ in events[: last + 1]]


def fork(file: Path, target: Path, at: int, *more: str) -> Path:
    made = run("fork", file, "--execution", "agent-1", "--at", at, "-o", target, *more)
    assert made.exit_code == 0, made.output
    return target


def test_a_fork_says_on_its_pages_of_what_it_is_one_and_which_answer_was_edited(file: Path, tmp_path: Path) -> None:
    *_, earlier, asked, at = up_to_last_answer(file)
    mended = fork(file, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')
    told = rf"from agent\.sqlite at event {at} of agent-1, its answer edited, on \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    with asking(mended) as client:
        for page in ("/", "/executions/agent-1", f"/executions/agent-1/events/{at}"):
            assert re.search(told, client.get(page).text), page
        assert "No manifest lies beside" not in client.get("/").text
        events = {one: client.get(f"/executions/agent-1/events/{one}").text for one in (at, asked, earlier)}
        assert [NOTE in page for page in events.values()] == [True, True, False]
        cards = client.get("/executions/agent-1/agent").text.split('<li id="call-')[1:]
        assert [NOTE in card for card in cards] == [*[False] * (len(cards) - 1), True]
    with asking(file, mended) as client:
        listed = client.get("/").text
        assert re.search(told, listed)
        assert listed.count("no manifest") == 1


def test_a_fork_of_a_pulled_file_names_the_workflow(file: Path, tmp_path: Path) -> None:
    pulled = tmp_path / "agent.sqlite"
    pulled.write_bytes(file.read_bytes())
    describe(pulled)
    mended = fork(pulled, tmp_path / "mended.sqlite", up_to_last_answer(file)[-1])
    with DatabaseFile(mended) as opened:
        (made,) = opened.forks
    assert (made.workflow, made.file, made.edited) == ("shop/orders at 3/41", "agent.sqlite", False)
    with asking(mended) as client:
        assert "from shop/orders at 3/41 (agent.sqlite) at event" in client.get("/").text
        assert NOTE not in client.get(f"/executions/agent-1/events/{made.event}").text


def test_an_answer_that_was_cut_off_is_not_called_edited_again(file: Path, tmp_path: Path) -> None:
    *_, asked, at = up_to_last_answer(file)
    mended = fork(file, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')
    kept = fork(mended, tmp_path / "kept.sqlite", at)
    before = fork(mended, tmp_path / "before.sqlite", asked)
    with DatabaseFile(kept) as opened:
        assert [(one.event, one.edited, one.file) for one in opened.forks] == [
            (at, True, "agent.sqlite"), (at, False, "mended.sqlite"),
        ]  # fmt: skip
    with DatabaseFile(before) as opened:
        assert [(one.event, one.edited) for one in opened.forks] == [(at, False), (asked, False)]


def test_a_terminal_says_it_too(file: Path, tmp_path: Path) -> None:
    at = up_to_last_answer(file)[-1]
    mended = fork(file, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')
    shown = run("show", mended, "agent-1").stdout
    assert re.search(rf"forked +from agent\.sqlite at event {at} of agent-1, its answer edited, on ", shown)
    assert "forked" not in run("show", mended, "order-1").stdout
    lines = run("history", mended, "agent-1").stdout.splitlines()
    assert [line.split()[0] for line in lines if "its answer was edited in a fork" in line] == [str(at)]
    assert "edited" not in run("history", file, "agent-1").stdout


def test_programs_are_told_of_a_fork_where_people_are(file: Path, tmp_path: Path) -> None:
    *_, asked, at = up_to_last_answer(file)
    mended = fork(file, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')

    def told(verb: str, source: Path, *more: str) -> Any:
        return json.loads(run(verb, source, *more, "-o", "json").stdout)

    (one,) = told("show", mended, "agent-1")["forkedFrom"]
    moment = dt.datetime.fromisoformat(one.pop("at"))
    assert moment.utcoffset() == dt.timedelta()
    assert one == {"execution": "agent-1", "event": at, "edited": True, "file": "agent.sqlite"}
    history = told("history", mended, "agent-1")
    assert {each["position"]: each["edited"] for each in history["events"] if "edited" in each} == {at: True}
    assert next(each["payload"] for each in history["events"] if each["position"] == at) == {"choices": []}
    for found in (history, told("list", mended), told("tree", mended)):
        assert [each["event"] for each in found["forkedFrom"]] == [at]
    again = fork(mended, tmp_path / "again.sqlite", asked)
    found = told("show", again, "agent-1")["forkedFrom"]
    assert [(each["event"], each["edited"], each["file"]) for each in found] == [
        (at, False, "agent.sqlite"), (asked, False, "mended.sqlite"),
    ]  # fmt: skip
    for found in (
        told("show", mended, "order-1"),
        told("history", mended, "order-1"),
        *(told(verb, file) for verb in ("list", "tree")),
        *(told(verb, file, "agent-1") for verb in ("show", "history")),
    ):
        assert "forkedFrom" not in found
    yaml = run("show", mended, "agent-1", "-o", "yaml").stdout
    assert f"forkedFrom:\n- execution: agent-1\n  event: {at}\n  edited: true\n" in yaml


@workflow
async def echoed() -> list[Any]:
    return [await echo("once"), await echo("again")]


def test_the_pause_of_a_fork_is_not_taken_for_the_time_of_a_call(tmp_path: Path) -> None:
    original, mended = tmp_path / "echoed.sqlite", tmp_path / "mended.sqlite"

    async def run_it() -> None:
        async with Engine(original, [echoed]) as engine:
            await (await engine.start(echoed, id="one")).result()

    async def go_on() -> None:
        async with Engine(mended, [echoed]) as engine:
            await engine.resume()
            assert await engine.result("one") == ["once", "again"]

    asyncio.run(run_it())
    asked = next(one["position"] for one in told_of(original)["events"] if one["kind"] == "ActivityScheduled")
    assert run("fork", original, "--execution", "one", "--at", asked, "-o", mended).exit_code == 0
    asyncio.run(go_on())
    note = "the fork&#39;s pause included"
    pages = ("/", "/executions/one", "/executions/one/agent")
    with asking(mended) as client:
        listed, execution, agent = (client.get(page).text for page in pages)
    assert re.search(rf'<td class="right nowrap">[^<]+, {note}</td>', listed)
    assert re.search(rf"It completed in [^<]+, {note}\.", listed)
    assert re.search(rf"<dt>took</dt><dd>[^<]+, {note}</dd>", execution)
    first, second = re.findall(r'<text class="label"[^>]*>([^<]+)</text>', execution)
    assert (note in first, note in second) == (True, False)
    first, second = re.findall(r'<span class="quiet took">([^<]+)</span>', agent)
    assert (note in first, note in second) == (True, False)
    with asking(original) as client:
        assert not any(note in client.get(page).text for page in pages)
    assert [len(query([one], "slowest_steps", limit=9, seconds=9).rows) for one in (original, mended)] == [2, 1]
    around = "SELECT forked_between(0, 9e15), forked_between(0, 1), forked_between(NULL, 1), forked_between(1, NULL)"
    rows = [query([one], around, limit=9, seconds=9).rows for one in (original, mended)]
    assert [list(row)[-4:] for (row,) in rows] == [[0, 0, None, None], [1, 0, None, None]]


def told_of(file: Path) -> Any:
    return json.loads(run("history", file, "one", "-o", "json").stdout)


def test_a_redacted_copy_of_a_fork_tells_no_name_of_a_file(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "ada-lovelace.sqlite"
    secret.write_bytes(file.read_bytes())
    at = up_to_last_answer(file)[-1]
    mended = fork(secret, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')
    copy = tmp_path / "redacted.sqlite"
    assert run("export", mended, "--redact", "-o", copy).exit_code == 0
    with DatabaseFile(copy) as opened:
        assert [(one.event, one.edited, one.file) for one in opened.forks] == [(at, True, "")]
    assert b"ada-lovelace" not in copy.read_bytes()
    with asking(copy) as client:
        assert f"from another file at event {at} of agent-1, its answer edited" in client.get("/").text
    (one,) = json.loads(run("show", copy, "agent-1", "-o", "json").stdout)["forkedFrom"]
    assert sorted(one) == ["at", "edited", "event", "execution"]


@pytest.mark.parametrize("written", ["no JSON", '[{"event": "nine"}]', "7"])
def test_what_something_else_has_written_there_is_no_fork(file: Path, tmp_path: Path, written: str) -> None:
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(file.read_bytes())
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("INSERT INTO dormouse_meta VALUES ('forks', ?)", (written,))
    with DatabaseFile(copy) as opened:
        assert opened.forks == ()


def redacted(file: Path, copy: Path) -> Path:
    made = run("export", file, "--redact", "-o", copy)
    assert made.exit_code == 0, made.output
    return copy


def test_pages_of_placeholders_say_so_and_offer_nothing_that_is_refused(file: Path, tmp_path: Path) -> None:
    copy = redacted(file, tmp_path / "redacted.sqlite")
    note = "Placeholders stand in the place of all values"
    refused = re.compile("dormouse (debug|replay|fork|retry|approve|signal|resume) ")
    at = up_to_last_answer(file)[-1]
    pages = ["/", "/executions/agent-1/agent", f"/executions/agent-1/events/{at}"]
    pages += [f"/executions/{one}" for one in ("order-1", "order-3", "refund-1", "stubborn-1", "agent-1", "nap-1")]
    with asking(copy) as client:
        for page in pages:
            text = client.get(page).text
            assert note in text, page
            assert refused.search(text) is None, page
    with asking(file) as client:
        texts = [client.get(page).text for page in pages]
        assert not any(note in text for text in texts)
        assert all(refused.search(text) for text in texts[2:])
    with asking(file, copy) as client:
        listed = client.get("/").text
        assert listed.count("placeholders instead of values") == 1
        assert "<td>agent</td>" in listed, "it was never pulled, so it has no namespace"


def test_placeholders_are_not_compared(file: Path, tmp_path: Path) -> None:
    at = up_to_last_answer(file)[-1]
    mended = fork(file, tmp_path / "mended.sqlite", at, "--edit", '{"choices": []}')
    left, right = (redacted(one, tmp_path / f"{number}.sqlite") for number, one in enumerate((file, mended)))
    for one, other in ((left, right), (file, right), (left, mended)):
        said = run("diff", one, other, "--execution", "agent-1")
        assert "agent-1: the same but for values in the first" in said.stdout
        assert "values were not compared: placeholders stand in their place" in said.stdout
        assert "differs at" not in said.stdout
    alike = run("diff", left, left, "--execution", "order-1")
    assert (alike.exit_code, alike.stdout.splitlines()[0]) == (0, "1 execution the same, but for values")
    assert "not compared" not in run("diff", file, mended).stdout


def test_of_a_file_without_the_table_it_is_told_and_the_rows_of_the_others_are_there(
    file: Path, tmp_path: Path
) -> None:
    with_table, text = tmp_path / "b.sqlite", tmp_path / "shop.json"
    with closing(sqlite3.connect(with_table)) as connection, connection:
        connection.execute("CREATE TABLE refund (cents INTEGER)")
        connection.execute("INSERT INTO refund VALUES (4887)")
    text.write_text('{"EUR": 1.086}')
    found = run("sql", "SELECT * FROM refund", file, text, with_table)
    assert found.exit_code == 4
    assert "4887" in found.stdout
    assert f"{file}: no such table: refund" in found.stderr
    assert f"{text} is no SQLite file" in found.stderr
    assert str(with_table) not in found.stderr
    nowhere = run("sql", "SELECT * FROM refund", file)
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")
    assert "no such table: refund" in nowhere.stderr


def test_what_is_no_sqlite_file_is_refused_also_by_a_query_of_no_table(tmp_path: Path) -> None:
    text = tmp_path / "shop.json"
    text.write_text('{"EUR": 1.086}')
    refused = run("sql", "SELECT 1", text)
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "shop.json is no SQLite file; name a workflow's database" in refused.stderr


def test_stuck_says_of_what_a_fork_has_paused_that_it_is_paused(file: Path, tmp_path: Path) -> None:
    mended = fork(file, tmp_path / "mended.sqlite", up_to_last_answer(file)[-1])
    paused = {row["id"]: row["paused"] for row in stuck(mended)}
    assert paused["agent-1"] == paused["order-1"] == paused["nap-1"] == "yes"
    assert {row["paused"] for row in stuck(file)} == {None}
    with closing(sqlite3.connect(mended)) as connection, connection:
        connection.execute("DROP TABLE dormouse_paused")
    assert {row["paused"] for row in stuck(mended)} == {None}, "an older file has no such table"


def stuck(file: Path) -> list[dict[str, object]]:
    found = query([file], "stuck", limit=100, seconds=10)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_the_copy_in_a_bundle_has_its_manifest_beside_it(file: Path, tmp_path: Path) -> None:
    made = run("report", file, "-o", tmp_path / "report.tar.gz")
    assert made.exit_code == 0, made.output
    with tarfile.open(tmp_path / "report.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert [line.split()[0] for line in made.stdout.splitlines()[1 : 1 + len(names)]] == names
    with asking(tmp_path / "dormouse-report" / "redacted.sqlite") as client:
        assert "No manifest lies beside" not in client.get("/").text
