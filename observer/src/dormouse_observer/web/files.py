"""What is on the page that lists several files?"""

from __future__ import annotations

from dataclasses import dataclass, field

from dormouse.client.forks import fork_text
from dormouse.errors import DormouseError
from dormouse_observer.contents import is_redacted
from dormouse_observer.manifest import Manifest
from dormouse_observer.web.library import Library
from dormouse_observer.web.reader import DAMAGED


@dataclass(frozen=True)
class FilesRow:
    """A file.

    Attributes:
        is_redacted: whether it holds placeholders instead of values.
        forked: what it is a fork of, if it is one.
        counts: how many executions it has of each status.
        unreadable: why it cannot be read any more; the others can.
    """

    number: int
    path: str
    manifest: Manifest | None
    counts: dict[str, int] = field(default_factory=dict)
    unreadable: str = ""
    forked: str = ""
    is_redacted: bool = False


def files_row(library: Library, number: int) -> FilesRow:
    """The file as it is now: one that is gone or damaged hides nothing of the others."""
    path, manifest = str(library.paths[number]), library.manifest(number)
    try:
        with library.reading(number) as file:
            forked = fork_text(file.forks[-1]) if file.forks else ""
            return FilesRow(number, path, manifest, file.counts(), forked=forked, is_redacted=is_redacted(file))
    except (DormouseError, *DAMAGED) as error:
        return FilesRow(number, path, manifest, unreadable=str(error))
