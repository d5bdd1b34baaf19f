"""Does every line of a child come through, once, with its level, and within bounds?"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies

from dormouse.keeper.litestream_log import LONGEST_BYTES, LitestreamLog, lines_of, record_of
from dormouse.logs import JsonFormatter, ProgramRecord, TextFormatter

NOW = 5.0
LINE = strategies.text(strategies.characters(codec="utf-8", exclude_characters="\n"))
COMPACTED = (
    b'{"time":"2030-01-01T12:00:00.250123456Z","level":"INFO","msg":"compaction complete","level":1,'
    b'"txid":{"min":"1","max":"4"},"epoch":7}'
)


@pytest.fixture
def said() -> Iterator[list[logging.LogRecord]]:
    """The records of Litestream's logger."""
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, handler = logging.getLogger("litestream"), Keeping()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def as_json(record: ProgramRecord) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(JsonFormatter({"dwf": "report", "epoch": 3}).format(record))
    return document


async def passed_on(program: str, killed_when: Callable[[], bool] | None = None) -> None:
    """Run a Python program to its end, or until it is killed; nobody closes its input before."""
    log = LitestreamLog()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=log.sink, stderr=log.sink
    )
    log.given()
    if killed_when is not None:
        while not killed_when():
            await asyncio.sleep(0.01)
        child.kill()
    await child.wait()
    await log.ended()
    await log.ended()
    assert child.stdin is not None
    child.stdin.close()


def test_a_line_keeps_its_moment_its_level_and_all_of_its_fields() -> None:
    assert as_json(record_of(COMPACTED, NOW)) == {
        "time": "2030-01-01T12:00:00.250Z",
        "level": "INFO",
        "logger": "litestream",
        "message": "compaction complete",
        "dwf": "report",
        "epoch": 3,
        "litestream.level": 1,
        "txid": {"min": "1", "max": "4"},
        "litestream.epoch": 7,
    }


def test_a_line_for_people_ends_with_its_fields() -> None:
    line = COMPACTED.replace(b"7}", b'7,"error":"no route"}')
    told = TextFormatter().format(record_of(line, NOW))
    assert told.endswith(
        "INFO litestream compaction complete litestream.level=1 txid=\"{'min': '1', 'max': '4'}\" epoch=7 "
        "error='no route'"
    )
    moment = datetime(2030, 1, 1, 12, 0, 0, 250_000, UTC).astimezone()
    assert told.startswith(moment.strftime("%Y-%m-%d %H:%M:%S,250 "))


@pytest.mark.parametrize(
    ("word", "level"),
    [("TRACE", 10), ("DEBUG", 10), ("DEBUG-4", 10), ("INFO", 20), ("INFO+2", 20), ("WARN", 30), ("ERROR+4", 40)],
)
def test_each_level_is_one_of_python_s(word: str, level: int) -> None:
    line = json.dumps({"time": "2030-01-01T12:00:00Z", "level": word, "msg": "so"}).encode()
    assert record_of(line, NOW).levelno == level


@pytest.mark.parametrize(
    "line",
    [b"panic: no luck", b"5", b"[]", b'{"level":"INFO","msg":"x"}', b'{"msg":"x","level":"INFO","time":9}', b"\xff"],
)
def test_what_is_no_line_of_its_log_is_told_as_it_stands_as_an_error(line: bytes) -> None:
    record = record_of(line, NOW)
    assert (record.getMessage(), record.levelno) == (line.decode(errors="replace"), logging.ERROR)
    assert record.created == NOW


@given(strategies.lists(LINE, min_size=1), strategies.data())
def test_lines_are_the_same_wherever_a_read_ends(texts: list[str], data: strategies.DataObject) -> None:
    printed = "\n".join(texts).encode()
    begun, found = b"", []
    while printed:
        size = data.draw(strategies.integers(1, len(printed)))
        lines, begun = lines_of(begun, printed[:size])
        found += lines
        printed = printed[size:]
    found += lines_of(begun, b"\n")[0]
    assert found == [text.encode() for text in texts if text.encode().strip()]


def test_a_line_without_an_end_is_told_in_pieces() -> None:
    begun, told = b"", b""
    for _ in range(20):
        lines, begun = lines_of(begun, b"x" * 50_000)
        told += b"".join(lines)
        assert len(begun) < LONGEST_BYTES
    assert told + begun == b"x" * 1_000_000


def test_nothing_that_a_child_printed_is_lost_however_much_it_is(said: list[logging.LogRecord]) -> None:
    program = """
import sys
for number in range(20_000):
    print('{"time":"2030-01-01T12:00:00Z","level":"INFO","msg":"%d"}' % number, file=sys.stderr)
print("the last one", end="")
"""
    asyncio.run(passed_on(program))
    assert sorted(record.getMessage() for record in said if record.levelno == logging.ERROR) == ["the last one"]
    assert [record.getMessage() for record in said if record.levelno == logging.INFO] == list(map(str, range(20_000)))


def test_the_last_words_of_a_child_that_is_killed_are_told(said: list[logging.LogRecord]) -> None:
    program = "import sys; sys.stdout.write('first\\nsecond'); sys.stdout.flush(); sys.stdin.read()"
    asyncio.run(passed_on(program, killed_when=lambda: bool(said)))
    assert [record.getMessage() for record in said] == ["first", "second"]


def test_what_a_child_left_in_its_pipe_is_read_after_its_end(said: list[logging.LogRecord]) -> None:
    async def story() -> None:
        log = LitestreamLog()
        os.write(log.sink, b"left")
        log.given()
        await log.ended()

    asyncio.run(story())
    assert [record.getMessage() for record in said] == ["left"]


def test_nobody_waits_for_ever_for_another_that_holds_the_pipe(said: list[logging.LogRecord]) -> None:
    async def story() -> None:
        log = LitestreamLog()
        of_another = os.dup(log.sink)
        os.write(of_another, b"said")
        log.given()
        async with asyncio.timeout(30):
            await log.ended()
        os.close(of_another)

    asyncio.run(story())
    assert [record.getMessage() for record in said] == ["said"]


def test_what_the_log_s_level_leaves_out_is_left_out(said: list[logging.LogRecord]) -> None:
    logging.getLogger("litestream").setLevel(logging.WARNING)
    lines = [json.dumps({"time": "2030-01-01T12:00:00Z", "level": word, "msg": word}) for word in ("INFO", "WARN")]
    asyncio.run(passed_on(f"print({chr(10).join(lines)!r})"))
    assert [record.getMessage() for record in said] == ["WARN"]
