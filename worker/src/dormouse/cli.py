"""The `dormouse` command: finds the verbs that the installed packages offer and runs one."""

from __future__ import annotations

import sys

from dormouse.extras import installed_by


def main() -> None:
    """Run the command line; entry points of the group `dormouse.commands` add verbs."""
    try:
        from dormouse._commands import root
    except ModuleNotFoundError as missing:
        if missing.name not in {"click", "yaml"}:
            raise
        sys.exit(f"dormouse: the command line needs {missing.name}; install it with: {installed_by('cli')}")
    root(prog_name="dormouse")
