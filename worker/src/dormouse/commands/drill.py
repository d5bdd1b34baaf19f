"""`dormouse drill`: try out a restore of a running workflow."""

from __future__ import annotations

import sys

import click

from dormouse.commands import printing
from dormouse.commands.target import Target, writing
from dormouse.commands.verb import REFUSED, Verb, on_runtime, with_output


@click.command(cls=Verb, examples=["dormouse drill http://localhost:8080"])
@on_runtime
@with_output("json", "yaml")
def drill(target: Target, output: str | None) -> None:
    """Restore a running workflow's data from the store beside the live file, and compare the two.

    Every page is checked, every table compared, and the open executions are replayed with the code that runs. The
    exit code is 1 when something is wrong. Nothing is changed.
    """
    from dormouse.client import flows

    with writing(target) as client:
        found = client.run(flows.drill())
    printing.say(printing.drill_text(found, output))
    sys.exit(0 if found.ok else REFUSED)
