"""How is another program called? Bounded in time, without this shell's settings, its failure told with its words."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_LAST_LINES = 12


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message says why and what to do."""


class CommandError(ClusterError):
    """A program failed; the message carries its last words."""


def plain_environment(**added: str) -> dict[str, str]:
    """The environment of everything that runs in the lab: no proxies, no cloud settings, no certificates of ours."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **added}


def run(
    arguments: Sequence[str],
    *,
    text: str | None = None,
    source: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> str:
    """Run a program to its end and return what it printed; raises CommandError when it fails or takes too long.

    It reads the text, or the file, that is given, else nothing.
    """
    try:
        with _input(text, source) as content:
            done = subprocess.run(
                arguments,
                env=environment,
                stdin=content,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
    except FileNotFoundError as missing:
        raise CommandError(f"{arguments[0]} is not installed") from missing
    except subprocess.TimeoutExpired as late:
        raise CommandError(f"`{_shown(arguments)}` took longer than {seconds:.0f} s") from late
    if done.returncode != 0:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:])
        raise CommandError(f"`{_shown(arguments)}` ended with code {done.returncode}: {words}")
    return done.stdout


def politely(arguments: Sequence[str]) -> list[str]:
    """The same command, run only when nobody else wants the processor or the disk."""
    return ["nice", "-n", "19", "ionice", "-c", "3", *arguments]


def own_environment(**added: str) -> dict[str, str]:
    """This shell's environment and more: for downloads, which may need its proxies and certificates."""
    return {**os.environ, **added}


@contextmanager
def _input(text: str | None, source: Path | None) -> Iterator[IO[bytes]]:
    if text is None:
        with (source or Path(os.devnull)).open("rb") as content:
            yield content
    else:
        with tempfile.TemporaryFile() as content:
            content.write(text.encode())
            content.seek(0)
            yield content


def _shown(arguments: Sequence[str]) -> str:
    line = " ".join(arguments)
    return line if len(line) <= 160 else f"{line[:157]}..."
