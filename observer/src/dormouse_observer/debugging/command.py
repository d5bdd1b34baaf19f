"""`dormouse debug`: the code of one recorded execution in a debugger."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb
from dormouse_observer.named_files import LocalFile

if TYPE_CHECKING:
    from dormouse_observer.debugging.recording import Recording

_HIGHEST_PORT = 65535
_PDB = ("", "0", "pdb.set_trace")


@click.command(
    cls=Verb,
    examples=[
        "dormouse debug orders.sqlite --execution order-1 --code .",
        "dormouse debug orders.sqlite --execution order-1 --code orders.py --break-at 3",
        "dormouse debug orders.sqlite --execution order-1 --code orders.py --break-at 3 --print-variables -o json",
    ],
)
@click.argument("file", type=LocalFile())
@click.option(
    "--execution",
    metavar="ID",
    shell_complete=completion.executions_of("file"),
    help="Which one. Default: the only one of the file.",
)
@click.option("--code", required=True, metavar="DIR|FILE|MODULE", help="The workflows: a folder, a file or a module.")
@click.option(
    "--break-at",
    "position",
    metavar="POSITION",
    type=click.IntRange(1),
    shell_complete=completion.events,
    help="Stop where the code meets the event that `dormouse history` shows with this POSITION. Default: the first.",
)
@click.option("--listen", metavar="HOST:PORT", help="Wait there for an editor; port 0 is a free one.")
@click.option("--beyond-this-machine", is_flag=True, help="Let --listen be reached from others, who can run code here.")
@click.option("--print-variables", is_flag=True, help="Print the variables there, and end.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="How they are printed. Default: for people.")
def debug(
    file: Path,
    execution: str | None,
    code: str,
    position: int | None,
    *,
    listen: str | None,
    beyond_this_machine: bool,
    print_variables: bool,
    output: str | None,
) -> None:
    """Run your code of one recorded execution again under pdb, or what PYTHONBREAKPOINT names.

    Its activities are answered from the file: none of them runs, and the network is refused to your code. The clock
    shows the recorded times, and nothing is waited for. The file is only read. In pdb there are the commands `ne` (to
    the next event), `back` (to the one before), `event` (what happened; `event N` goes there), `child` and `parent`.

    Exit code 1: the code asks for something else than the log holds before it comes to the event; 5: it raises; 6: the
    workflow is not there.
    """
    from dormouse_observer.code import NoCode, workflows_of
    from dormouse_observer.debugging.recording import Library
    from dormouse_observer.one_execution import one_execution

    if output is not None and not print_variables:
        raise click.UsageError("-o is for --print-variables")
    if listen is not None and print_variables:
        raise click.UsageError("--print-variables needs no editor; give it without --listen")
    in_pdb = os.environ.get("PYTHONBREAKPOINT", "") in _PDB
    if not (in_pdb or print_variables or listen):
        _refuse_what_is_not_there(os.environ["PYTHONBREAKPOINT"])
    address = None if listen is None else _address(listen, beyond_this_machine=beyond_this_machine)
    try:
        known = workflows_of(code)
    except NoCode as wrong:
        raise click.BadParameter(str(wrong), param_hint="--code") from wrong
    library = Library(file, known)
    execution = one_execution(file) if execution is None else execution
    with _divergence_told(file):
        recording = library.recording(execution)
        position = recording.first if position is None else position
        if print_variables:
            _print_variables(recording, position, output)
        elif address is not None:
            from dormouse_observer.debugging.adapter import debug as in_editor

            in_editor(recording, position, *address)
        elif in_pdb:
            from dormouse_observer.debugging.prompt import Place
            from dormouse_observer.debugging.prompt import debug as at_prompt

            at_prompt(library, Place(execution, position))
        else:
            from dormouse_observer.debugging.elsewhere import debug as in_another

            in_another(recording, position)


def _refuse_what_is_not_there(debugger: str) -> None:
    """Python only warns of it, once it would have stopped."""
    module, _, function = debugger.rpartition(".")
    try:
        getattr(import_module(module or "builtins"), function)
    except (ImportError, AttributeError) as missing:
        raise click.UsageError(
            f"PYTHONBREAKPOINT names {debugger!r}, and {missing}; install it here, or unset it to have pdb"
        ) from missing


def _address(listen: str, *, beyond_this_machine: bool) -> tuple[str, int]:
    from dormouse.commands.run import is_loopback

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise click.BadParameter(f"{listen!r} is no HOST:PORT, such as 127.0.0.1:5678", param_hint="--listen")
    if not (beyond_this_machine or is_loopback(host)):
        raise click.BadParameter(
            f"whoever reaches {host} could run code here; use 127.0.0.1, or say --beyond-this-machine",
            param_hint="--listen",
        )
    return host, int(port)


def _print_variables(recording: Recording, position: int, output: str | None) -> None:
    from dormouse.commands.printing import say
    from dormouse_observer.debugging.variables import variables_at, variables_text

    say(variables_text(variables_at(recording, position), recording.event(position), output))


@contextmanager
def _divergence_told(file: Path) -> Iterator[None]:
    """When the code cannot follow the log, end as `dormouse replay` would."""
    from dormouse_observer.debugging.recording import GoesAnotherWay
    from dormouse_observer.verdict import EXIT_CODES, Verdict, differs, outcome_of

    try:
        yield
    except GoesAnotherWay as error:
        outcome = outcome_of(error.blocked)
        verdict = Verdict(str(file), error.execution, error.workflow, error.events, outcome, error.blocked)
        click.echo(differs(verdict), err=True)
        sys.exit(EXIT_CODES[outcome])
