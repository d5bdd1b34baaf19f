"""`dormouse approvals`, `approve`, `reject`: what do workflows ask for, and what is decided?"""

from __future__ import annotations

from collections.abc import Callable
from getpass import getuser
from typing import TYPE_CHECKING

import click

from dormouse.commands import completion, printing
from dormouse.commands.target import Target, reading, writing
from dormouse.commands.verb import Verb, on_runtime, on_target, with_output

if TYPE_CHECKING:
    from dormouse.client import Client, Execution


@click.command(
    cls=Verb, examples=["dormouse approvals http://localhost:8080", "dormouse approvals orders.sqlite refund-1 -o json"]
)
@on_target
@click.argument("execution", required=False, shell_complete=completion.executions)
@with_output("json", "yaml", "wide")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@click.option("--after", help="Go on where the last page ended; it says with which value.")
def approvals(target: Target, execution: str | None, output: str | None, limit: int, after: str | None) -> None:
    """List what waits to be approved of, of one execution or of all, the oldest first."""
    with reading(target) as source:
        page = source.approvals(limit=limit, after=after, execution_id=execution)
        printing.say(printing.approvals_text(page, output))


def _deciding(function: Callable[..., None]) -> Callable[..., None]:
    """Add what both verbs take."""
    for add in (
        with_output("json", "yaml", "wide", "name", default="id and status"),
        click.option("--reason", default="", help="Why; it is kept in the history."),
        click.option("--by", default=getuser, show_default="who you are here", help="Who decides; kept as well."),
        click.option("--digest", required=True, help="Of what you decide on, as `dormouse approvals` shows it."),
        click.argument("approval"),
        click.argument("execution", shell_complete=completion.executions),
        on_runtime,
    ):
        function = add(function)
    return function


@click.command(
    cls=Verb,
    examples=["dormouse approve http://localhost:8080 refund-1 refund --digest 6a09682cefe479b404dd0f063f31deea"],
)
@_deciding
def approve(
    target: Target, execution: str, approval: str, digest: str, by: str, reason: str, output: str | None
) -> None:
    """Approve of what EXECUTION asks for as APPROVAL. It is refused when it asks for something else now."""
    with writing(target) as client:
        is_pending = _is_pending(client, execution, digest)
        told = client.handle(execution).approve(approval, digest, by=by, reason=reason)
        _say(told, output, None if is_pending else f"it was approved by {by} before")


@click.command(
    cls=Verb,
    examples=[
        "dormouse reject http://localhost:8080 refund-2 refund --digest 0ce3370250ee44665e00f219c74ed269 --by ada"
    ],
)
@_deciding
def reject(
    target: Target, execution: str, approval: str, digest: str, by: str, reason: str, output: str | None
) -> None:
    """Reject what EXECUTION asks for as APPROVAL. It is refused when it asks for something else now."""
    with writing(target) as client:
        is_pending = _is_pending(client, execution, digest)
        told = client.handle(execution).reject(approval, digest, by=by, reason=reason)
        _say(told, output, None if is_pending else f"it was rejected by {by} before")


def _is_pending(client: Client, execution: str, digest: str) -> bool:
    """The same decision may be sent again, and is accepted; a person is to know that it was not the first."""
    return any(one.digest == digest for one in client.handle(execution).approvals())


def _say(told: Execution, output: str | None, was_before: str | None) -> None:
    printing.say(printing.told_text(told, output))
    if was_before is not None:
        click.echo(f"{was_before}, and stays so; nothing was decided again", err=True)
