"""`dormouse diff`: where did two executions go different ways?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb


@click.command(
    cls=Verb,
    examples=[
        "dormouse diff orders.sqlite mended.sqlite",
        "dormouse diff orders.sqlite mended.sqlite --execution order-1 -o json",
        "dormouse diff orders.sqlite orders.sqlite --execution order-1 --with order-2",
    ],
)
@click.argument("a", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("b", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--execution",
    metavar="ID",
    shell_complete=completion.executions_of("a"),
    help="Only this one. Default: all, by their ids.",
)
@click.option(
    "--with",
    "other",
    metavar="ID",
    shell_complete=completion.executions_of("b"),
    help="The one of B to compare it with. Default: the same id.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Pairs of events from there on.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Default: side by side, for people.")
def diff(a: Path, b: Path, execution: str | None, other: str | None, limit: int, output: str | None) -> None:
    """Show where the executions of two files part: the first event that differs, and what follows, side by side.

    Compared is what happened and with which values, of each execution's newest run; not when, nor in which line of the
    code. Of redacted files values are not compared. Files are only read. Exit code 0: the same; 1: they differ.
    """
    from dormouse.client.file import DatabaseFile
    from dormouse.commands.printing import document, say
    from dormouse.encryption import AesGcm
    from dormouse.engine.journal import Event
    from dormouse.errors import UnknownExecution
    from dormouse.runtime.views import event_view
    from dormouse_observer.comparing import Comparisons, compared, comparisons_text
    from dormouse_observer.contents import is_redacted

    if other is not None and execution is None:
        raise click.UsageError("--with says what to compare the --execution with; name that too")
    codec = AesGcm.from_environment()
    with DatabaseFile(a, codec) as file_a, DatabaseFile(b, codec) as file_b:
        has_values = not (is_redacted(file_a) or is_redacted(file_b))
        ids_a, ids_b = ([row.id for row in file.rows()] for file in (file_a, file_b))
        pairs = [(one, one) for one in ids_a if one in set(ids_b)]
        if execution is not None:
            pairs = [(execution, other or execution)]

        def of(file: DatabaseFile, execution_id: str) -> list[Event]:
            try:
                return file.events(file.row(execution_id))
            except UnknownExecution as error:
                hint = "--with" if execution_id == other else "--execution"
                raise click.BadParameter(str(error), param_hint=hint) from error

        found = tuple(
            compared(
                one,
                [*map(event_view, of(file_a, one))],
                two,
                [*map(event_view, of(file_b, two))],
                limit,
                has_values=has_values,
            )
            for one, two in pairs
        )
    only_a = () if execution else tuple(one for one in ids_a if one not in set(ids_b))
    only_b = () if execution else tuple(one for one in ids_b if one not in set(ids_a))
    same = all(one.same for one in found) and not (only_a or only_b)
    comparisons = Comparisons(same, found, only_a, only_b, has_values)
    say(document(comparisons, output) if output else comparisons_text(comparisons, str(a), str(b)))
    sys.exit(0 if same else 1)
