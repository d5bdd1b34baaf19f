"""Does everything escape the guard that the page says escapes, and does lint find what it says?"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import random
import re
import secrets
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dormouse import Engine, workflow
from dormouse.lint.check import check
from markdown_blocks import REPOSITORY

PAGE = (REPOSITORY / "docs" / "writing-workflows.md").read_text()
ROWS = re.findall(r"^\| (`.+?`) \| [^|]+ \| (finds it|no) \|$", PAGE.partition("**What escapes.**")[2], re.MULTILINE)
ESCAPES = [(code, found == "finds it") for codes, found in ROWS for code in re.findall(r"`(.+?)`", codes)]
IMPORTS = """import ctypes, mmap, os, random, secrets, socket, time, uuid
from datetime import datetime
from pathlib import Path
from dormouse import workflow
"""


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the page's expressions speak of, opened before the workflow."""
    (tmp_path / "file").touch()
    with ExitStack() as stack:
        handle = stack.enter_context((tmp_path / "file").open())
        connection, other = socket.socketpair()
        stack.enter_context(connection)
        stack.enter_context(other)
        pool = stack.enter_context(ThreadPoolExecutor(1))
        pool.submit(int).result()
        known = {module.__name__: module for module in (ctypes, mmap, os, random, secrets, socket, time, uuid)}
        mine = {"handle": handle, "connection": connection, "pool": pool, "settings": {"speed": 1}}
        yield {**known, **mine, "datetime": datetime, "Path": Path}


def test_the_page_lists_what_escapes() -> None:
    assert len(ESCAPES) > 20


@pytest.mark.parametrize("code", [code for code, _ in ESCAPES])
def test_what_the_page_says_escapes_is_not_refused(code: str, surroundings: dict[str, Any], tmp_path: Path) -> None:
    @workflow
    async def one() -> None:
        eval(code, surroundings)

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [one]) as engine:
            await (await engine.start(one)).result()

    asyncio.run(run())


@pytest.mark.parametrize(("code", "found"), ESCAPES)
def test_lint_finds_what_the_page_says_it_finds(code: str, found: bool) -> None:
    given = "settings: dict[str, int] = {}\n"
    source = f"{IMPORTS}{given}\n@workflow\nasync def one(handle, connection, pool):\n    {code}\n"
    assert bool(check(source, "one.py")) == found
