"""What does a reader see who types a page's commands one after the other?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from test_docs_commands import WITHIN_SECONDS, run

from markdown_blocks import Example, fits

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
