"""`dormouse exec`: run a command of any language in a pod, in the place of workflows."""

from __future__ import annotations

import sys

import click

from dormouse.commands.verb import Verb


@click.command(
    "exec",
    cls=Verb,
    examples=["dormouse exec -- ./server --listen :9000"],
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(command: tuple[str, ...]) -> None:
    """Run COMMAND with a database that is replicated, for as long as this pod owns it.

    Waits until the database is restored, ends the command when another pod takes over or that cannot be ruled out,
    and seals the database after it. It needs a keeper beside it, so it is for pods: spec.exec of a DurableWorkflow
    runs it there, on a cluster and under `dormouse dev`.
    """
    from dormouse.guest.__main__ import main

    sys.exit(main(command))
