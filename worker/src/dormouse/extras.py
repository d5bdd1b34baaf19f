"""How does one come by what an optional part of Dormouse needs?"""

from __future__ import annotations

from dormouse.errors import DormouseError


def installed_by(extra: str) -> str:
    """The command, as docs/tutorial.md has it: nothing is published yet, so it names the checkout."""
    return f"pip install '/path/to/dormouse[{extra}]'"


class NotInstalled(DormouseError, ImportError):
    """An optional part needs a module that is missing; the message says how to install it."""

    def __init__(self, part: str, missing: str | None, extra: str) -> None:
        super().__init__(f"{part} needs the module {missing!r}: {installed_by(extra)}")
        self.name = missing
