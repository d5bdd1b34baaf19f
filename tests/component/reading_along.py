"""What does a reader see who types a page's commands one after the other?"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from test_docs_commands import WITHIN_SECONDS, environment, run

from markdown_blocks import Example, fits

_TYPED = re.compile(r"^\(Pdb\) (.+)\n", re.MULTILINE)
_ONLY_LOOKING = ("dormouse show ", "dormouse history ", "dormouse list ", "dormouse approvals ")


def read_along(shown: Sequence[Example], folder: Path, replaced: tuple[str, str]) -> None:
    """Run each command, with one text replaced in it, and compare what it prints with what the page shows.

    Readers are slower than tests: a command that only looks is repeated until a step that is under way is done.
    """
    for one in shown:
        command = f"{{ {one.command.replace(*replaced).strip()}\n}} 2>&1"
        printed = run(command, folder)
        deadline = time.monotonic() + WITHIN_SECONDS
        while not _is_as_shown(one, printed) and one.command.startswith(_ONLY_LOOKING) and time.monotonic() < deadline:
            printed = run(command, folder)
        assert _is_as_shown(one, printed), f"{one.command}\n{printed}"


def _is_as_shown(one: Example, printed: str) -> bool:
    return one.shown is None or fits(one.shown, printed)


def type_along(one: Example, folder: Path) -> None:
    """Run a command that talks with its reader, type what the page types, and compare the whole session."""
    assert one.shown is not None
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", one.command],
        cwd=folder,
        env={**environment(), "COLUMNS": "80"},
        input="".join(f"{typed}\n" for typed in _TYPED.findall(one.shown)),
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert fits(_TYPED.sub("(Pdb) ", one.shown), ran.stdout), ran.stdout
