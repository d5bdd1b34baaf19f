"""`dormouse lint`: does a workflow do what may come out differently in a replay?"""

from __future__ import annotations

import sys
import tokenize
from pathlib import Path

import click
import msgspec

from dormouse.commands.verb import REFUSED, Verb


@click.command(cls=Verb, examples=["dormouse lint orders.py"])
@click.argument("targets", metavar="MODULE|PATH...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Choice(["json"]), help="Default: one line for each finding.")
def lint(targets: tuple[str, ...], output: str | None) -> None:
    """Find what a workflow must not do by itself, and say what it does instead.

    The code is read, not imported. The exit code is 1 when something is found.
    """
    from dormouse.lint.check import check
    from dormouse.lint.files import NothingThere, files_of

    try:
        search = [str(Path.cwd()), *sys.path]
        files = list(dict.fromkeys(file.absolute() for target in targets for file in files_of(target, search)))
    except NothingThere as missing:
        raise click.BadParameter(str(missing), param_hint="MODULE|PATH") from missing
    findings = [finding for file in files for finding in check(_read(file), _shown(file))]
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        nothing = f"nothing found in {len(files)} file{'' if len(files) == 1 else 's'}"
        click.echo("\n".join(map(str, findings)) or nothing)
    sys.exit(REFUSED if findings else 0)


def _read(file: Path) -> str:
    try:
        with tokenize.open(file) as text:  # in the encoding that the file says
            return text.read()
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _shown(file: Path) -> str:
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
