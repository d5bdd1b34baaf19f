"""Does `dormouse open` begin, say where, and end when it is told to? As a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from observed_files import long_history

DORMOUSE = Path(sys.executable).with_name("dormouse")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    file = long_history(tmp_path / "orders.sqlite", 10)
    command = [str(DORMOUSE), "open", file.name, "--no-browser"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as opened:
        assert opened.stdout is not None
        said = opened.stdout.readline()
        url = said.split(" on ")[1].split()[0]
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client() as kept_alive:
            assert "long-1" in kept_alive.get(url).text
            with kept_alive.stream("GET", f"{url}changes") as following:
                assert next(following.iter_lines()) == "retry: 1000"
                opened.send_signal(number)
                rest = opened.communicate(timeout=60)[0]
    assert (opened.returncode, rest) == (0, "")
