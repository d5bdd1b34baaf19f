"""What does bash offer behind an address, whose colons part words for it? A real bash, and a runtime's answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from test_docs_commands import environment

IDS = ("order-1", "order-2", "a:b-1", "a:b-2")
_SCRIPT = """
eval "$(_DORMOUSE_COMPLETE=bash_source dormouse)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9 COMP_KEY=9
_dormouse_completion dormouse
printf '%s\\n' "${COMPREPLY[@]}"
"""


class _Runtime(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        listed = [{"id": id, "workflow": "order", "status": "Open", "startedAt": "2026-05-01T12:00:00Z"} for id in IDS]  # noqa: A001
        answer = json.dumps({"executions": listed}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        """Say nothing."""


@contextmanager
def a_runtime() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Runtime) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def offered(line: str) -> list[str]:
    """What bash would put in the place of the last part of the line."""
    parts = line.replace(":", " : ").replace("  ", " ")
    ran = subprocess.run(
        ["bash", "-c", _SCRIPT, "bash", line, parts],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("order-", ["order-1", "order-2"]), ("", list(IDS)), ("a:b", ["b-1", "b-2"])],
    ids=["a beginning", "nothing", "behind a colon of its own"],
)
def test_the_executions_of_a_runtime_are_offered(typed: str, expected: list[str]) -> None:
    with a_runtime() as url:
        assert offered(f"dormouse show {url} {typed}") == expected


def test_verbs_are_still_offered() -> None:
    assert offered("dormouse ter") == ["terminate"]
