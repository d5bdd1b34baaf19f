"""`dormouse replay`: would recorded executions go on with this code?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dormouse.commands.verb import Verb

if TYPE_CHECKING:
    from dormouse_observer.verdict import Verdict


@click.command(
    cls=Verb,
    examples=[
        "dormouse replay orders.sqlite --code .",
        "dormouse replay orders.sqlite --code orders.py --execution order-1",
        "dormouse replay histories --code . --junit replay.xml",
    ],
)
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--code", required=True, metavar="DIR|FILE|MODULE", help="The workflows: a folder, a file or a module.")
@click.option("--execution", "executions", multiple=True, help="Only this one; may be given again.")
@click.option("--junit", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write a report for CI.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Default: what differs, for people.")
def replay(
    paths: tuple[Path, ...], code: str, executions: tuple[str, ...], report: Path | None, output: str | None
) -> None:
    """Run code over the logs of recorded executions, open and closed. No activity runs, and files are only read.

    Of a folder all files *.sqlite count, so that one line checks new code against what every earlier version has
    left. Of one that has ended, how it would end now is not compared, and one whose workflow is not in the code any
    more is skipped.

    Exit code 0: all match; 1: the code asks for something else than a log holds; 4: a file cannot be read, the others
    were replayed; 5: it raises where it did not; 6: a workflow of an open execution is not there. With several the
    highest.
    """
    from dormouse.commands.printing import document, say
    from dormouse_observer.code import NoCode, workflows_of
    from dormouse_observer.replaying import files_of, replayed, replayed_among_others
    from dormouse_observer.verdict import exit_code, junit, verdicts_text

    files = files_of(paths)
    try:
        known = workflows_of(code)
    except NoCode as wrong:
        raise click.BadParameter(str(wrong), param_hint="--code") from wrong
    if report is not None and not report.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {report.parent}", param_hint="--junit")
    verdicts: list[Verdict] = []
    look = replayed if len(files) == 1 else replayed_among_others
    with click.progressbar(files, label="replaying", file=sys.stderr, hidden=len(files) == 1) as shown:
        for file in shown:
            verdicts += look(file, known, executions)
    _check_found(executions, verdicts, files)
    if report is not None:
        report.write_bytes(junit(verdicts))
    say(document({"executions": verdicts}, output) if output else verdicts_text(verdicts))
    sys.exit(exit_code(verdicts))


def _check_found(wanted: Sequence[str], verdicts: Sequence[Verdict], files: Sequence[Path]) -> None:
    for missing in set(wanted) - {one.execution for one in verdicts}:
        raise click.BadParameter(
            f"there is no execution {missing!r} in {', '.join(map(str, files))}; `dormouse list FILE` shows them",
            param_hint="--execution",
        )
