"""`dormouse cancel`, `terminate`, `retry`: end an execution, or let one go on that ended."""

from __future__ import annotations

import click

from dormouse.commands import completion, printing
from dormouse.commands.target import Target, writing
from dormouse.commands.verb import Verb, on_runtime, with_output

_HAS_ENDED = (
    "That of a DurableWorkflow with `start` ends once all is closed: begin another one from it, by spec.restore and "
    "without `start`, and retry there"
)


@click.command(cls=Verb, examples=['dormouse cancel http://localhost:8080 basket-1 --reason "the shop closes"'])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@click.option("--reason", default="", help="Why; it is kept in the history.")
@with_output("json", "yaml", "wide", "name", default="id and status")
def cancel(target: Target, execution: str, reason: str, output: str | None) -> None:
    """Ask an execution to cancel itself.

    Its code may clean up first; `dormouse result` waits for the end.
    """
    with writing(target) as client:
        printing.say(printing.told_text(client.handle(execution).cancel(reason), output))


@click.command(cls=Verb, examples=["dormouse terminate http://localhost:8080 order-2"])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@click.option("--reason", default="", help="Why; it is kept in the history.")
@with_output("json", "yaml", "wide", "name", default="id and status")
def terminate(target: Target, execution: str, reason: str, output: str | None) -> None:
    """End an execution at once, also one that is blocked. Its code is not asked and cleans up nothing."""
    with writing(target) as client:
        printing.say(printing.told_text(client.handle(execution).terminate(reason), output))


@click.command(cls=Verb, examples=["dormouse retry http://localhost:8080 order-2"])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@with_output("json", "yaml", "wide", "name", default="id and status")
def retry(target: Target, execution: str, output: str | None) -> None:
    """Let an execution go on that is Failed, Cancelled or Terminated: from before that.

    A DurableWorkflow with `start` has no runtime any more once all of it is closed: begin another one from it, by
    spec.restore and without `start`, and retry there.
    """
    from dormouse.client import Unreachable

    try:
        with writing(target) as client:
            printing.say(printing.told_text(client.handle(execution).retry(), output))
    except Unreachable as error:
        raise Unreachable(f"{error} {_HAS_ENDED}") from error
