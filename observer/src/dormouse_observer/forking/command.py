"""`dormouse fork`: go on from an event, in another file."""

from __future__ import annotations

from pathlib import Path

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb
from dormouse_observer.named_files import LocalFile


@click.command(
    cls=Verb,
    examples=[
        "dormouse fork orders.sqlite --execution order-1 --at 3 -o again.sqlite",
        "dormouse fork orders.sqlite --execution order-1 --at 3 --edit '{\"price\": 5}' --code . -o mended.sqlite",
    ],
)
@click.argument("file", type=LocalFile())
@click.option(
    "--execution",
    metavar="ID",
    shell_complete=completion.executions_of("file"),
    help="Which one. Default: the only one of the file.",
)
@click.option(
    "--at",
    "position",
    required=True,
    metavar="POSITION",
    type=click.IntRange(1),
    shell_complete=completion.events,
    help="Of the last event that is kept, as `dormouse history` shows it.",
)
@click.option("--edit", "answer", metavar="JSON|@FILE", help="Another answer for that event; - is the standard input.")
@click.option("--code", metavar="DIR|FILE|MODULE", help="Check that these workflows could go on from there.")
@click.option("--only", is_flag=True, help="Leave out all other executions of the file.")
@click.option("--running", is_flag=True, help="Let it go on as soon as the new file is run, instead of pausing it.")
@click.option(
    "-o", "--output", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The new file."
)
def fork(
    file: Path,
    execution: str | None,
    position: int,
    answer: str | None,
    code: str | None,
    target: Path,
    *,
    only: bool,
    running: bool,
) -> None:
    """Make a new file in which an execution has only come as far as an event, and the answer there may be another.

    FILE is only read. What was called since is called again when the new file is run, and under other idempotency
    keys, since the fork has an identity of its own. Therefore all that is open in it is paused until `dormouse resume`.
    The executions that this one has called, or was called by, are taken back to the same moment.
    """
    import msgspec

    from dormouse.commands.printing import say
    from dormouse.commands.value import parse_value
    from dormouse.encryption import AesGcm
    from dormouse_observer.code import NoCode, workflows_of
    from dormouse_observer.debugging.recording import described
    from dormouse_observer.forking.fork import Wanted
    from dormouse_observer.forking.fork import fork as forked
    from dormouse_observer.one_execution import one_execution

    try:
        known = None if code is None else workflows_of(code)
    except NoCode as wrong:
        raise click.BadParameter(str(wrong), param_hint="--code") from wrong
    edited = None if answer is None else msgspec.json.encode(parse_value(answer, "--edit"))
    execution = one_execution(file) if execution is None else execution
    wanted = Wanted(execution, position, edited, only, running, known)
    made = forked(file, target, wanted, AesGcm.from_environment())
    say(
        f"{target}: {execution} up to {described(made.event)}{' with another answer' if edited else ''}, "
        f"{made.cut} later event{'' if made.cut == 1 else 's'} cut off\n{_paused(made.paused)}"
    )
    if edited and known is None:
        click.echo("the answer was not checked: with --code, your workflows say whether it fits", err=True)


def _paused(count: int) -> str:
    if count == 0:
        return "nothing in it is paused: what is open goes on when the file is run"
    waits = "1 open execution in it waits" if count == 1 else f"{count} open executions in it wait"
    return f"{waits} for `dormouse resume`"
