"""Which execution of a file is meant where none is named? The only one that it has."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from dormouse.client.file import DatabaseFile
from dormouse.encryption import AesGcm

_MOST_SHOWN = 20


def one_execution(file: Path) -> str:
    """Its id.

    Raises:
        UsageError: when the file has none or several, with their ids.
        NotReadable, NewerFile: when it is no file of ours.
    """
    with DatabaseFile(file, AesGcm.from_environment()) as opened:
        page = opened.executions(limit=_MOST_SHOWN)
    ids = [one.id for one in page.executions]
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise click.UsageError(f"{file} has no execution")
    more = f" ... (`{shlex.join(['dormouse', 'list', str(file)])}` shows all)" if page.next else ""
    raise click.UsageError(f"{file} has several executions; name one by --execution: {', '.join(ids)}{more}")
