"""`dormouse list`, `show`, `history`, `result`: what became of executions?"""

from __future__ import annotations

import sys

import click
import msgspec

from dormouse.commands import completion, printing
from dormouse.commands.target import Target, reading
from dormouse.commands.verb import REFUSED, Verb, on_target, with_output
from dormouse.engine.ending import Status


@click.command(
    "list",
    cls=Verb,
    examples=["dormouse list http://localhost:8080 --status Failed", "dormouse list orders.sqlite -o name"],
)
@on_target
@with_output("json", "yaml", "wide", "name")
@click.option("--status", type=click.Choice([*Status], case_sensitive=False), help="Only those that are so.")
@click.option("--workflow", shell_complete=completion.workflows, help="Only those of the workflow with this name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@click.option("--after", help="Go on where the last page ended; it says with which value.")
def list_executions(
    target: Target, output: str | None, status: str | None, workflow: str | None, limit: int, after: str | None
) -> None:
    """List the executions, the newest first."""
    with reading(target) as source:
        page = source.executions(status=status, workflow=workflow, limit=limit, after=after)
        printing.say(printing.executions_text(page, output, source.forks))


@click.command(cls=Verb, examples=["dormouse show http://localhost:8080 order-1"])
@on_target
@click.argument("execution", shell_complete=completion.executions)
@with_output("json", "yaml", "wide", "name")
def show(target: Target, execution: str, output: str | None) -> None:
    """Show one execution: its status, and what it waits for, what it came to or why it failed."""
    with reading(target) as source:
        found = source.show(execution)
        if found.status == Status.COMPLETED:
            found = source.outcome(execution, 0)
    printing.say(printing.execution_text(found, output, source.forks))


@click.command(cls=Verb, examples=["dormouse history orders.sqlite order-1"])
@on_target
@click.argument("execution", shell_complete=completion.executions)
@with_output("json", "yaml", "wide")
def history(target: Target, execution: str, output: str | None) -> None:
    """Show everything that happened to one execution."""
    with reading(target) as source:
        own = [one for one in source.forks if one.execution == execution]
        printing.say(printing.history_text(source.history(execution), output, own))


@click.command(cls=Verb, examples=["dormouse result http://localhost:8080 order-1 --timeout 60"])
@on_target
@click.argument("execution", shell_complete=completion.executions)
@with_output("json", "yaml", "wide", "name", default="the result as JSON")
@click.option("--timeout", type=click.FloatRange(0), help="Wait at most so many seconds. Default: as long as it takes.")
def result(target: Target, execution: str, output: str | None, timeout: float | None) -> None:
    """Wait for an execution's end and print its result as JSON.

    The exit code is 1 when it failed, and 3 when it is still open after --timeout. A file is not waited for.
    """
    with reading(target) as source:
        found = source.outcome(execution, timeout)
    if found.result is not msgspec.UNSET:
        text = bytes(found.result).decode() if output is None else printing.execution_text(found, output)
        printing.say(text)
        return
    if found.status == "Open":
        raise TimeoutError(f"execution {execution!r} is still open; `dormouse show` says what it waits for")
    if output is not None:
        printing.say(printing.execution_text(found, output))
    else:
        click.echo(printing.execution_text(found, None), err=True)
    sys.exit(REFUSED)
