"""A process that kills itself with SIGKILL just before its n-th write: `killed_process.py PROGRAM FOLDER N`.

Beside the database it leaves what its client has heard, and which attempts have begun, each in a file that is written
at that moment. Without N it lives to the end and prints what the program came to.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from feature_programs import PROGRAMS, WORKFLOWS
from lives import Attempt, Life, live, world
from recorded_disk import SQLITE_OK, Change, asked_before_each_change


class Notes:
    """Lines of JSON that are with the kernel as soon as they are written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, line: Any) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, msgspec.json.encode(line) + b"\n")
        os.close(file)

    def __iter__(self) -> Iterator[Any]:
        return map(json.loads, self._path.read_text().splitlines() if self._path.exists() else [])


class Heard(dict[str, Any]):
    """What was acknowledged to the client, also in earlier lives."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._notes = notes

    def __setitem__(self, step: str, answer: Any) -> None:
        self._notes.add([step, answer])
        super().__setitem__(step, answer)


def attempts_in(folder: Path) -> list[Attempt]:
    return [Attempt(*line) for line in Notes(folder / "attempts")]


def main(name: str, folder: Path, killed_before: int) -> None:
    writes = 0

    def asked(_: Change) -> int:
        nonlocal writes
        writes += 1
        if writes == killed_before:
            os.kill(os.getpid(), signal.SIGKILL)
        return SQLITE_OK

    logging.disable()
    world.witness = Notes(folder / "attempts").add
    life = Life(acknowledged=Heard(Notes(folder / "heard")))
    with asked_before_each_change(folder, asked):
        result = live(folder / "db.sqlite", WORKFLOWS, PROGRAMS[name].drive, life)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
