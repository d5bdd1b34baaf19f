"""`dormouse signal`, `query`, `update`: talk to a workflow that runs."""

from __future__ import annotations

import click

from dormouse.client import flows
from dormouse.commands import completion, printing
from dormouse.commands.target import Target, writing
from dormouse.commands.value import parse_value
from dormouse.commands.verb import Verb, on_runtime, with_output


@click.command(cls=Verb, examples=["dormouse signal http://localhost:8080 basket-1 add '\"cup\"'"])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@click.argument("name")
@click.argument("value", required=False)
@click.option("--idempotency-key", help="The same key with the same signal and value is received only once.")
@with_output("json", "yaml", "wide", "name", default="id and status")
def signal(
    target: Target, execution: str, name: str, value: str | None, idempotency_key: str | None, output: str | None
) -> None:
    """Send an execution the signal NAME; the answer comes once that counts.

    VALUE is JSON, @FILE, or - for the standard input; leave it out for a signal that carries nothing.
    """
    carried = None if value is None else parse_value(value, "VALUE")
    with writing(target) as client:
        told = client.handle(execution).signal(name, carried, idempotency_key=idempotency_key)
    printing.say(printing.told_text(told, output))


@click.command(cls=Verb, examples=["dormouse query http://localhost:8080 basket-1 total"])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@click.argument("name")
@with_output("json", "yaml", default="the answer alone, as JSON")
def query(target: Target, execution: str, name: str, output: str | None) -> None:
    """Ask an execution the query NAME and print the answer as JSON. It changes nothing."""
    with writing(target) as client:
        answer = client.run(flows.query(execution, name))
    printing.say(printing.answer_text(answer, output))


@click.command(cls=Verb, examples=["dormouse update http://localhost:8080 basket-1 redeem '\"minus-50\"'"])
@on_runtime
@click.argument("execution", shell_complete=completion.executions)
@click.argument("name")
@click.argument("value")
@click.option("--idempotency-key", help="The same key with the same update and value is done only once.")
@click.option("--timeout", type=click.FloatRange(0), help="Wait at most so many seconds. Default: as long as it takes.")
@with_output("json", "yaml", default="the result alone, as JSON")
def update(
    target: Target,
    execution: str,
    name: str,
    value: str,
    idempotency_key: str | None,
    timeout: float | None,
    output: str | None,
) -> None:
    """Have an execution do the update NAME and print the result as JSON.

    VALUE is JSON, @FILE, or - for the standard input. The exit code is 3 when it is not done after --timeout.
    """
    carried = parse_value(value, "VALUE")
    with writing(target) as client:
        result = client.run(flows.update(execution, name, carried, idempotency_key, timeout))
    printing.say(printing.answer_text(result, output))
