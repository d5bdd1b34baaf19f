"""How does one come by what an optional part of Dormouse needs?"""

from __future__ import annotations


def installed_by(extra: str) -> str:
    """The command, as docs/tutorial.md has it: nothing is published yet, so it names the checkout."""
    return f"pip install '/path/to/dormouse[{extra}]'"
