"""`dormouse report`: what somebody needs to know to help, in one file, without any value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb, on_cluster
from dormouse_observer.bringing import Asked, brought_here, from_store, is_any_pulled, is_here

if TYPE_CHECKING:
    from dormouse_observer.reporting.bundle import Entry


@click.command(cls=Verb, examples=["dormouse report orders.sqlite", "dormouse report orders -n shop -o support.tar.gz"])
@click.argument("source", metavar="FILE|NAME|URL", shell_complete=completion.targets)
@on_cluster
@from_store
@click.option(
    "-o",
    "--output",
    "chosen",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The bundle, never replaced. Default: NAME-report.tar.gz here.",
)
def report(source: str, asked: Asked, chosen: Path | None) -> None:
    """Gather what somebody needs to know to help: a tar.gz without any value of yours in it.

    Of FILE its redacted copy (see `dormouse export --redact`), its executions as a tree, and what is stuck, fails again
    and again or takes long; of NAME also its status and what `dormouse doctor` finds, without their messages. It prints
    what is inside, and sends nothing.
    """
    from dormouse.commands.printing import say, table
    from dormouse_observer.reporting.bundle import FOLDER, contents, versions, with_readme, write

    pulls = is_any_pulled([source], asked)
    bundle = chosen or Path(f"{_short(source)}-report.tar.gz")
    if bundle.exists():
        raise click.BadParameter(f"{bundle} is there already; choose another, or move it away", param_hint="-o")
    if not bundle.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {bundle.parent}", param_hint="-o")
    with tempfile.TemporaryDirectory(prefix="dormouse-report-") as folder:
        gathered: list[Entry] = [versions()]
        if pulls and "://" not in source:
            gathered += _of_cluster(source, asked)
        gathered += _of_data(source, asked, Path(folder), is_certain="://" in source or not pulls)
        gathered = with_readme(gathered)
        try:
            write(gathered, bundle)
        except OSError as error:
            raise click.BadParameter(f"{bundle}: {error.strerror}", param_hint="-o") from error
        say(table([["INSIDE", "", ""], *contents(gathered)], cut=False))
    say(f"{bundle} holds this, below {FOLDER}/, and no value of yours. Look at it before you send it.")


def _short(source: str) -> str:
    return Path(source).stem if is_here(source) else source.rstrip("/").rpartition("/")[2]


def _of_cluster(name: str, asked: Asked) -> list[Entry]:
    from dormouse.commands.doctor import examined
    from dormouse_observer.reporting.bundle import entry_of
    from dormouse_observer.reporting.cluster import findings_of, status_of

    workflow = asked.kubectl.workflow(name)
    found = findings_of(examined(asked.kubectl, everywhere=False))
    return [
        entry_of("status.json", "the status of the DurableWorkflow, without messages", status_of(workflow)),
        entry_of("findings.json", "what `dormouse doctor` finds, without messages of others", {"findings": found}),
    ]


def _of_data(source: str, asked: Asked, folder: Path, *, is_certain: bool) -> list[Entry]:
    """What the file tells; a store that cannot be asked is no reason to tell nothing of the cluster."""
    from dormouse.encryption import AesGcm
    from dormouse.errors import DormouseError
    from dormouse_observer.reporting.bundle import of_file

    try:
        file = Path(source) if is_here(source) else brought_here(source, asked, folder)
        made = folder / "made"
        made.mkdir()
        return of_file(file, AesGcm.from_environment(), made)
    except DormouseError as error:
        if is_certain:
            raise
        click.echo(f"its data is not in the bundle: {error}", err=True)
        return []
