"""`dormouse tree`: who called whom, and where does each stand?"""

from __future__ import annotations

from pathlib import Path

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb, with_output


@click.command(
    cls=Verb,
    examples=["dormouse tree orders.sqlite", "dormouse tree orders.sqlite --execution order-1 -o json"],
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--execution",
    metavar="ID",
    shell_complete=completion.executions_of("file"),
    help="Only this one, and those below it.",
)
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many executions.")
@with_output("json", "yaml", "name", default="a tree for people")
def tree(file: Path, execution: str | None, limit: int, output: str | None) -> None:
    """Draw the executions of FILE below those that called them, with what each waits for or why it ended.

    The oldest come first. The file is only read.
    """
    from dormouse.commands.printing import document, say, with_forks
    from dormouse.encryption import AesGcm
    from dormouse_observer.tree import tree_of, tree_text

    found = tree_of(file, execution, limit, AesGcm.from_environment())
    match output:
        case None:
            say(tree_text(found))
        case "name":
            say("\n".join(node.id for node in found.nodes))
        case _:
            told = {"executions": found.nodes, "leftOut": found.left_out}
            say(document(with_forks(told, found.forks), output))
    if found.left_out and output in (None, "name"):
        click.echo(f"there are {found.left_out} more; give a higher --limit than {limit}, or an --execution", err=True)
