"""`dormouse start`: begin an execution."""

from __future__ import annotations

from typing import Any

import click

from dormouse.commands import completion, printing
from dormouse.commands.target import Target, writing
from dormouse.commands.value import parse_value
from dormouse.commands.verb import Verb, on_runtime, with_output


@click.command(cls=Verb, examples=['dormouse start http://localhost:8080 order \'["tea", "cup"]\' --id order-1'])
@on_runtime
@click.argument("workflow", shell_complete=completion.workflows)
@click.argument("value", metavar="[INPUT]", required=False)
@click.option("--id", "execution_id", help="Its id. Default: one is made up.")
@click.option("--idempotency-key", help="The same key with the same workflow and input starts it only once.")
@with_output("json", "yaml", "wide", "name", default="the id")
def start(
    target: Target,
    workflow: str,
    value: str | None,
    execution_id: str | None,
    idempotency_key: str | None,
    output: str | None,
) -> None:
    """Start an execution of WORKFLOW and print its id.

    INPUT is JSON, @FILE, or - for the standard input.
    """
    options: dict[str, Any] = {} if value is None else {"input": parse_value(value, "INPUT")}
    with writing(target) as client:
        handle = client.start(workflow, id=execution_id, idempotency_key=idempotency_key, **options)
        printing.say(printing.execution_text(handle.show(), output or "name"))
