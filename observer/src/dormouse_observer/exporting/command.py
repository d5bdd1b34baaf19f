"""`dormouse export`: a copy of a file for somebody else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb, on_cluster
from dormouse_observer.bringing import Asked, brought_here, from_store, is_any_pulled


@click.command(
    cls=Verb,
    examples=[
        "dormouse export orders.sqlite --redact -o for-support.sqlite",
        "dormouse export orders -n shop --at 2026-05-01T12:00:00Z -o whole.sqlite",
    ],
)
@click.argument("source", metavar="FILE|NAME|URL", shell_complete=completion.targets)
@on_cluster
@from_store
@click.option(
    "-o",
    "--output",
    "copy",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The copy; its manifest is put beside it as FILE.json. Never replaced.",
)
@click.option("--redact", is_flag=True, help="Put placeholders in the place of all values.")
@click.option("--keep-names", is_flag=True, help="With --redact: keep the names of the values in objects.")
def export(source: str, asked: Asked, copy: Path, *, redact: bool, keep_names: bool) -> None:
    """Make a copy of FILE that somebody else may have. The original is only read.

    Without --redact it is whole, with every page checked. With it, inputs, results, messages, errors, idempotency keys
    and the rows of your own tables are gone: placeholders tell their types, how many values they have and about how
    long texts are. What is kept are moments, ids of executions, names of workflows, activities, messages, tables and
    columns, lines of code as orders.py:7, and versions. NAME and URL are pulled first.
    """
    from dormouse.commands.printing import say
    from dormouse.encryption import AesGcm
    from dormouse_observer.exporting.export import Wanted
    from dormouse_observer.exporting.export import export as exported

    if keep_names and not redact:
        raise click.UsageError("--keep-names means something only with --redact")
    pulls = is_any_pulled([source], asked)
    with tempfile.TemporaryDirectory(prefix="dormouse-export-") as folder:
        file = brought_here(source, asked, Path(folder)) if pulls else Path(source)
        manifest = exported(file, copy, Wanted(redact, keep_names), AesGcm.from_environment())
    what = "placeholders in the place of all values" if redact else "whole, every page checked"
    say(f"{copy}: {what}, {manifest.bytes:,} bytes, SHA-256 {manifest.sha256}")
