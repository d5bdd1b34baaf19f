"""The `dormouse` command: finds the verbs that the installed packages offer and runs one."""

from __future__ import annotations

import os
import sys

from dormouse.ending import ending_at_once
from dormouse.extras import installed_by

_COMPLETES = "_DORMOUSE_COMPLETE"
"""What click looks for to complete a command line."""


def main() -> None:
    """Run the command line; entry points of the group `dormouse.commands` add verbs."""
    _run("dormouse")


def kubectl_plugin() -> None:
    """The same as `kubectl dormouse`: kubectl runs the program `kubectl-dormouse`."""
    _run("kubectl dormouse")


def complete_for_kubectl() -> None:
    """What can follow `kubectl dormouse`: kubectl's completion runs the program `kubectl_complete-dormouse`."""
    try:
        from dormouse.commands.kubectl_completion import offered
    except ModuleNotFoundError:
        return  # the plugin itself says what is missing
    print(offered(sys.argv[1:]))  # noqa: T201 - it is what kubectl reads


def _run(program: str) -> None:
    try:
        from dormouse._commands import root
    except ModuleNotFoundError as missing:
        if missing.name not in {"click", "yaml"}:
            raise
        sys.exit(f"{program}: the command line needs {missing.name}; install it with: {installed_by('cli')}")
    if _COMPLETES in os.environ:
        from click.shell_completion import add_completion_class

        from dormouse.commands.bash_completion import Bash

        add_completion_class(Bash)
    with ending_at_once():
        try:
            root(prog_name=program)
        except OSError as error:
            if not _is_output_lost(error):
                raise
            print(f"{program}: what it says cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201 - as click
            sys.exit(1)


def _is_output_lost(error: OSError) -> bool:
    """Whether click could not write, as on a full disk; then nothing more is tried."""
    from traceback import walk_tb

    import click

    raised_in = [frame.f_code for frame, _ in walk_tb(error.__traceback__)][-1]
    if raised_in is not click.echo.__code__:
        return False
    # Python would try again at its end, and fail in words of its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
