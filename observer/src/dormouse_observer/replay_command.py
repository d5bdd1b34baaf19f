"""`dormouse replay`: would recorded executions go on with this code?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dormouse.commands.verb import Verb
from dormouse_observer.named_files import LocalFile

if TYPE_CHECKING:
    from dormouse_observer.verdict import Verdict


@click.command(
    cls=Verb,
    examples=[
        "dormouse replay orders.sqlite --code .",
        "dormouse replay orders.sqlite --code orders.py --execution order-1",
        "dormouse replay --all histories --code . --junit replay.xml",
    ],
)
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=LocalFile())
@click.option(
    "--all",
    "folders",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="All files *.sqlite of a folder and of those in it; may be given again.",
)
@click.option("--code", required=True, metavar="DIR|FILE|MODULE", help="The workflows: a folder, a file or a module.")
@click.option("--execution", "executions", multiple=True, help="Only this one; may be given again.")
@click.option("--junit", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write a report for CI.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Default: what differs, for people.")
def replay(
    paths: tuple[Path, ...],
    folders: tuple[Path, ...],
    code: str,
    executions: tuple[str, ...],
    report: Path | None,
    output: str | None,
) -> None:
    """Run code over the logs of recorded executions, open and closed. No activity runs, and files are only read.

    With --all one line checks new code against what every earlier version has left; what came of each file is told on
    the way. Of an execution that has ended, how it would end now is not compared, and one whose workflow is not in the
    code any more is skipped.

    Exit code 0: all match; 1: the code asks for something else than a log holds; 4: a file cannot be read, the others
    were replayed; 5: it raises where it did not; 6: a workflow of an open execution is not there. With several the
    highest.
    """
    from dormouse.commands.printing import document, say
    from dormouse_observer.code import NoCode, workflows_of
    from dormouse_observer.replaying import all_below, replayed, replayed_among_others
    from dormouse_observer.verdict import counted, exit_code, junit, verdicts_text

    _check_named(paths, folders)
    files = [*paths, *all_below(folders)]
    try:
        known = workflows_of(code)
    except NoCode as wrong:
        raise click.BadParameter(str(wrong), param_hint="--code") from wrong
    if report is not None and not report.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {report.parent}", param_hint="--junit")
    verdicts: list[Verdict] = []
    is_alone = len(files) == 1 and not folders
    look = replayed if is_alone else replayed_among_others
    for number, file in enumerate(files, 1):
        found = look(file, known, executions)
        if not is_alone:
            click.echo(f"{number}/{len(files)} {file}: {counted(found)}", err=True)
        verdicts += found
    _check_found(executions, verdicts, files)
    if report is not None:
        report.write_bytes(junit(verdicts))
    say(document({"executions": verdicts}, output) if output else verdicts_text(verdicts))
    sys.exit(exit_code(verdicts))


def _check_named(paths: Sequence[Path], folders: Sequence[Path]) -> None:
    if not paths and not folders:
        raise click.UsageError("nothing is to be replayed; name a FILE, or --all DIR for all files of a folder")
    for path in paths:
        if path.is_dir():
            raise click.UsageError(f"{path} is a folder; write --all {path} for all files in it")


def _check_found(wanted: Sequence[str], verdicts: Sequence[Verdict], files: Sequence[Path]) -> None:
    listed = shlex.quote(str(files[0])) if len(files) == 1 else "FILE"
    for missing in set(wanted) - {one.execution for one in verdicts}:
        raise click.BadParameter(
            f"there is no execution {missing!r} in {', '.join(map(str, files))}; `dormouse list {listed}` shows them",
            param_hint="--execution",
        )
