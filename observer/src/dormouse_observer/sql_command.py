"""`dormouse sql`: one query over many workflows, written out or by its name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dormouse.commands.verb import UNREACHABLE, Verb
from dormouse_observer.pricing_option import with_prices

if TYPE_CHECKING:
    from dormouse_observer.web.prices import PriceList


def _names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from dormouse_observer.canned import CANNED

    return [name for name in CANNED if name.startswith(incomplete)]


def _list(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Say which queries have names, and end."""
    from dormouse.commands.printing import say, table
    from dormouse_observer.canned import CANNED

    if wanted and not ctx.resilient_parsing:
        say(table([["QUERY", "FINDS"], *([one.name, one.told] for one in CANNED.values())], cut=False))
        ctx.exit()


@click.command(
    cls=Verb,
    examples=[
        "dormouse sql stuck orders.sqlite",
        "dormouse sql agent_cost pulled --prices prices.toml",
        "dormouse sql 'SELECT status, count(*) FROM execution GROUP BY status' orders.sqlite",
        "dormouse sql 'SELECT id FROM execution WHERE closed_at IS NULL' pulled -o json",
    ],
)
@click.argument("query", metavar="QUERY", shell_complete=_names)
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Say which have names.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Rows in all.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=30, show_default=True, help="A file.")
@with_prices
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Default: a table for people.")
def sql(
    query: str, paths: tuple[Path, ...], limit: int, seconds: float, prices: PriceList | None, output: str | None
) -> None:
    """Run one SELECT over each FILE, and of each folder over all files *.sqlite.

    QUERY is SQL, or the name of a query that --list tells. Each row begins with the file that it is of. Files are only
    read, and the query can reach nothing else: no other file, no PRAGMA, no extension.

    Of several files, one that cannot be read or lacks the table is told, the others are asked all the same, and the
    exit code is 4.
    """
    from dormouse.commands.printing import document, say, table
    from dormouse.encryption import AesGcm
    from dormouse_observer.named_files import files_of
    from dormouse_observer.querying import query as queried

    codec = AesGcm.from_environment()
    found = queried(files_of(paths), query, limit=limit, seconds=seconds, codec=codec, prices=prices)
    if output is not None:
        say(document({"columns": found.columns, "rows": [[_json(cell) for cell in row] for row in found.rows]}, output))
    else:
        say(table([found.columns, *([_text(cell) for cell in row] for row in found.rows)]))
    if found.is_cut:
        click.echo(f"there are more rows; give a higher --limit than {limit}", err=True)
    for problem in found.without:
        click.echo(f"no rows of it: {problem}", err=True)
    if found.without:
        sys.exit(UNREACHABLE)


def _json(cell: Any) -> Any:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell


def _text(cell: Any) -> str:
    return "" if cell is None else " ".join(str(_json(cell)).split())
