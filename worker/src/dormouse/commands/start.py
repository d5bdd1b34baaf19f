"""`dormouse start`: begin an execution."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from dormouse.commands import printing
from dormouse.commands.target import Target, writing
from dormouse.commands.verb import Verb, on_target, with_output


def parse_value(text: str) -> Any:
    """JSON as it stands, of a file when it begins with @, of the standard input when it is a dash."""
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except OSError as error:
            raise click.BadParameter(f"{text[1:]}: {error.strerror}") from error
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"it is not JSON: {error}; text needs quotes, such as '\"tea\"'") from error


@click.command(cls=Verb)
@on_target
@click.argument("workflow")
@click.argument("value", metavar="[INPUT]", required=False)
@click.option("--id", "execution_id", help="Its id. Default: one is made up.")
@click.option("--idempotency-key", help="The same key with the same workflow and input starts it only once.")
@with_output
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
    options: dict[str, Any] = {} if value is None else {"input": parse_value(value)}
    with writing(target) as client:
        handle = client.start(workflow, id=execution_id, idempotency_key=idempotency_key, **options)
        printing.say(printing.execution_text(handle.show(), output or "name"))
