"""Does the tour of the failed agent go as it is told? A reader's three terminals, from the failure to the refund."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from reading_along import read_along, type_along
from test_docs_commands import WITHIN_SECONDS, environment, run

from chromium import ALONE, program
from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, Example, blocks, examples

PAGE = REPOSITORY / "docs" / "agent-tour.md"
SHOWN_DIGEST = "b52c07820aae298d105e5aeacd9cdaf9"
PICTURE = REPOSITORY / "docs" / "images" / "agent-tour.png"
MODEL_PORT, RUN_PORT = "8109", "8107"


class Tour:
    """The page's commands, with ports that are free here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = dict(zip((MODEL_PORT, RUN_PORT), map(str, free_ports(2)), strict=True))
        manifest = folder / "dormouse.yaml"
        manifest.write_text(self.here(manifest.read_text()))

    def here(self, text: str) -> str:
        return re.sub("|".join(self._ports), lambda found: self._ports[found[0]], text)

    def example(self, beginning: str) -> Example:
        (found,) = (one for one in examples(blocks(PAGE)) if one.command.startswith(beginning))
        return Example(self.here(found.command).strip(), found.shown)


@pytest.fixture
def tour(tmp_path: Path) -> Tour:
    folder = tmp_path / "agent"
    shutil.copytree(REPOSITORY / "examples" / "agent", folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return Tour(folder)


@contextmanager
def terminal(command: str, folder: Path, shown: str) -> Iterator[None]:
    """Keep a command running in a terminal of its own, once it has shown this; end it with Ctrl-C."""
    with tempfile.TemporaryFile("w+") as screen:
        process = subprocess.Popen(
            # Who runs the tests in the background has it ignored.
            ["env", "--default-signal=INT", "bash", "-c", f"exec {command}"],
            cwd=folder, env=environment(), stdout=screen, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + WITHIN_SECONDS
            while shown not in (seen := os.pread(screen.fileno(), 1 << 20, 0).decode()):
                assert process.poll() is None, seen
                assert time.monotonic() < deadline, seen
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WITHIN_SECONDS)


def take_picture(address: str, folder: Path) -> None:
    """With DORMOUSE_PICTURES=docs the page's own picture is made anew."""
    assert PICTURE.exists()
    picture = PICTURE if os.environ.get("DORMOUSE_PICTURES") == "docs" else folder / PICTURE.name
    before = picture.stat().st_mtime_ns if picture.exists() else 0
    shown = ("--window-size=1000,980", "--hide-scrollbars")
    options = (*shown, f"--user-data-dir={folder / 'browser'}", f"--screenshot={picture}")
    subprocess.run([program(), *ALONE, *options, address], check=True, capture_output=True, timeout=WITHIN_SECONDS)
    assert picture.stat().st_mtime_ns > before


def test_the_wrong_answer_is_found_and_corrected_and_the_customer_is_paid(tour: Tour) -> None:
    folder = tour.folder
    with ExitStack() as terminals:
        terminals.enter_context(terminal(tour.example("python scripted_model.py").command, folder, "/v1\n"))
        dev = tour.example("dormouse dev")
        assert dev.shown is not None
        failed = next(line for line in dev.shown.splitlines() if "RefundTooLarge" in line)
        terminals.enter_context(terminal(dev.command, folder, failed))

        for beginning in (". .dormouse", "dormouse history", "dormouse fork"):
            read_along([tour.example(beginning)], folder, ("", ""))
        type_along(tour.example("dormouse debug"), folder)
        (port,) = free_ports(1)
        look = f"{tour.example('dormouse open').command} --no-browser --port {port}"
        with terminal(look, folder, f"http://127.0.0.1:{port}/"):
            conversation = f"http://127.0.0.1:{port}/executions/main/agent"
            said = httpx.get(conversation, timeout=30).raise_for_status().text
            assert "&#34;rate&#34;:10.86" in said
            assert '<b class="mono">refund</b>, and no call of it is in the log' in said.partition("event 12")[2]
            take_picture(conversation, folder)

        serve = tour.example("OPENAI_BASE_URL")
        terminals.enter_context(terminal(f"env {serve.command}", folder, "mended.sqlite on http://"))
        asked = tour.example("dormouse resume")
        assert asked.shown is not None
        printed = ""
        resumed, look = asked.command.splitlines()
        run(resumed, folder)
        deadline = time.monotonic() + WITHIN_SECONDS
        while (digest := re.search("[0-9a-f]{32}", printed)) is None:
            assert time.monotonic() < deadline, printed
            printed = run(look, folder)
        assert '{"order":"A-17","cents":4887,"currency":"USD"}' in printed
        assert digest[0] == SHOWN_DIGEST, "it stands for the amount, so it is the page's"
        approve = tour.example("dormouse approve")
        read_along([approve, tour.example("dormouse sql")], folder, ("", ""))
        differ = run(tour.example("dormouse diff").command, folder)
        assert "the same in the first 8 events" in differ
        assert differ.rstrip().endswith("exit code 1")
