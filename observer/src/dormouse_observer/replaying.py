"""Do the executions of a file go on with this code? Each log is replayed; nothing runs, and nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from dormouse.client.file import DatabaseFile
from dormouse.client.opening import NotReadable
from dormouse.encryption import AesGcm
from dormouse.engine.definitions import Workflow
from dormouse.errors import NewerFile
from dormouse.testing.replaying import why_blocked
from dormouse_observer.contents import check_has_values
from dormouse_observer.verdict import Verdict, outcome_of


def all_below(folders: Iterable[Path]) -> list[Path]:
    """All `*.sqlite` of these folders and of the folders in them, but for hidden ones.

    Raises:
        NotReadable: when a folder has none.
    """
    found: list[Path] = []
    for folder in folders:
        inside = sorted(path for path in folder.rglob("*.sqlite") if not _is_hidden(path.relative_to(folder)))
        if not inside:
            raise NotReadable(f"there is no file *.sqlite in the folder {folder}, so nothing was replayed")
        found += inside
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def replayed(file: Path, known: Mapping[str, Workflow[..., Any]], wanted: Collection[str] = ()) -> list[Verdict]:
    """What came of each execution, or of those that are wanted.

    Raises:
        NotReadable, NewerFile: when it is no file of ours, was redacted, or is one of a later release.
    """
    verdicts = []
    with DatabaseFile(file, AesGcm.from_environment()) as database:
        check_has_values(database)
        for row in database.rows():
            if wanted and row.id not in wanted:
                continue
            events = database.events(row)
            blocked = why_blocked(row, events, known)
            outcome = outcome_of(blocked, is_known=row.workflow in known)
            verdicts.append(Verdict(str(file), row.id, row.workflow, len(events), outcome, blocked))
    return verdicts


def replayed_among_others(
    file: Path, known: Mapping[str, Workflow[..., Any]], wanted: Collection[str] = ()
) -> list[Verdict]:
    """The same of one of several files: that it cannot be read is what came of it, and hides nothing of the others."""
    try:
        return replayed(file, known, wanted)
    except (NotReadable, NewerFile) as error:
        return [Verdict.of_unreadable(str(file), str(error))]
