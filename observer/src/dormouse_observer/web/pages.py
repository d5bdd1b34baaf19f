"""What is on each page? Reads the file for it, and leaves nothing to the templates but to write it down."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from dormouse.client.forks import Fork, fork_text
from dormouse.engine.ending import Status
from dormouse.engine.payload import Failure
from dormouse.errors import CannotDecode
from dormouse_observer.manifest import Life, Manifest
from dormouse_observer.web.durations import took
from dormouse_observer.web.family import Family, family_of
from dormouse_observer.web.listing import Filters
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.payload_view import PayloadView, payload_view
from dormouse_observer.web.reader import Entry, Listed, PagedFile, Standing, Table
from dormouse_observer.web.timeline import Timeline, positions_of, timeline, window_of
from dormouse_observer.web.waiting import Commands, Sentence, debug, sentence

EVENTS = 50
"""On a page of the log."""
_MOST_MESSAGES = 50
_MOST_LIVES = 20


@dataclass(frozen=True)
class ListRow:
    """An execution in the list."""

    row: Listed
    sentence: Sentence
    took: str


@dataclass(frozen=True)
class ListPage:
    """A page of the list."""

    filters: Filters
    rows: tuple[ListRow, ...]
    following: int | None
    counts: dict[str, int]
    workflows: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Shown:
    """A payload, or why it cannot be shown."""

    position: int
    view: PayloadView | None
    unreadable: str = ""


@dataclass(frozen=True)
class LogPage:
    """A page of the log. `first` is the number of its first event, from 0 on."""

    entries: tuple[Entry, ...]
    first: int
    total: int

    @property
    def earlier(self) -> int | None:
        """Where the page before this one begins."""
        return max(0, self.first - EVENTS) if self.first else None

    @property
    def later(self) -> int | None:
        """Where the page after this one begins."""
        end = self.first + len(self.entries)
        return end if end < self.total else None


@dataclass(frozen=True)
class ExecutionPage:
    """All of an execution that is on its page."""

    row: Listed
    standing: Standing
    sentence: Sentence
    index: LogIndex
    parent: Listed | None
    family: Family
    timeline: Timeline
    log: LogPage
    input: Shown | None
    output: Shown | None
    traceback: tuple[TracebackLine, ...]
    messages: tuple[Entry, ...]
    runs: tuple[Entry, ...]
    tables: tuple[Table, ...]
    commands: tuple[tuple[str, str], ...]
    tree: str
    took: str


@dataclass(frozen=True)
class TracebackLine:
    """A line; those that say where, and those that show the code there, stand out."""

    text: str
    kind: str


def list_page(file: PagedFile, filters: Filters, names: Commands) -> ListPage:
    """A page of the executions that the filters leave."""
    rows, is_more = file.listed(filters)
    return ListPage(
        filters,
        _said(file, rows, names),
        rows[-1].key if is_more else None,
        file.counts(),
        tuple(file.workflows()),
    )


def _said(file: PagedFile, rows: Sequence[Listed], names: Commands) -> tuple[ListRow, ...]:
    standings = file.standings(rows)
    return tuple(ListRow(row, sentence(row, standings[row.key], names), standings[row.key].took) for row in rows)


def execution_page(
    file: PagedFile, row: Listed, names: Commands, *, events: int | None, calls: int | None, count: int | None
) -> ExecutionPage:
    """An execution.

    Args:
        file: it is in.
        row: of it.
        names: for commands to be copied.
        events: the number of the event that the page of the log begins with; None for the first.
        calls: the number of the call that the timeline begins with.
        count: how many calls the timeline has.
    """
    index = file.index(row.key)
    standing = file.standings([row])[row.key]
    window = window_of(index, calls, count)
    until = row.closed_at or (index.moments[-1] if index.moments else row.started_at)
    entries = {one.position: one for one in file.entries(positions_of(index, window))}
    picture = timeline(index, window, entries, until, file.forks)
    first = file.first_event(row)
    is_done = row.closed_position is not None and standing.failure is None and standing.unreadable is None
    return ExecutionPage(
        row,
        standing,
        sentence(row, standing, names),
        index,
        file.parent_of(row),
        family_of(file, row, names),
        picture,
        log_page(file, index, events),
        None if first is None else shown(file, first),
        shown(file, row.closed_position) if is_done and row.closed_position is not None else None,
        traceback_lines(standing.failure),
        tuple(file.entries([index.positions[number] for number in index.messages[:_MOST_MESSAGES]])),
        tuple(file.entries([index.positions[number] for number in index.runs[-_MOST_MESSAGES:]])),
        tuple(file.tables()),
        commands(row, names),
        f"dormouse tree {shlex.quote(names.file)} --execution {shlex.quote(row.id)}",
        took(row.started_at, until, file.forks),
    )


def log_page(file: PagedFile, index: LogIndex, first: int | None) -> LogPage:
    """The events from this number on."""
    total = len(index.positions)
    begins = max(0, min(first or 0, total - 1)) // EVENTS * EVENTS
    return LogPage(tuple(file.entries(index.positions[begins : begins + EVENTS])), begins, total)


def shown(file: PagedFile, position: int) -> Shown:
    """The payload of an event; `view` is None when it has none, or cannot be read."""
    try:
        payload = file.payload(position)
    except CannotDecode as missing:
        return Shown(position, None, f"{missing}.")
    return Shown(position, None if payload is None else payload_view(payload))


def traceback_lines(failure: Failure | None) -> tuple[TracebackLine, ...]:
    """Of what an execution failed with, where it was kept."""
    if failure is None or not failure.traceback:
        return ()
    lines = failure.traceback.rstrip().splitlines()
    return tuple(TracebackLine(line, _kind_of(line)) for line in lines)


def _kind_of(line: str) -> str:
    if line.startswith("  File "):
        return "place"
    if line.startswith("    "):
        return "pointer" if set(line.strip()) <= set("^~") else "code"
    return "said"


def commands(row: Listed, names: Commands) -> tuple[tuple[str, str], ...]:
    """What else there is to be done with this execution, each with what it is for."""
    file, execution = shlex.quote(names.file), shlex.quote(row.id)
    again = (
        "let the live one go on, once the code or the world is mended",
        f"dormouse retry {shlex.quote(names.target)} {execution}",
    )
    log = ("its log, in a terminal", f"dormouse history {file} {execution}")
    if names.is_redacted:
        return (log,)
    return (
        log,
        ("would your code go on with it?", f"dormouse replay {file} --code . --execution {execution}"),
        ("step through it in a debugger", debug(row, names)),
        (
            "go on from an event, with another answer",
            f"dormouse fork {file} --execution {execution} --at EVENT --code . -o {names.beside('mended')} --edit JSON",
        ),
        *([again] if row.status == Status.FAILED else []),
    )


_NEWEST, _NOT_NEWEST = "the newest then", "the store holds later ones"


def lineage(manifest: Manifest | None, forks: Sequence[Fork] = ()) -> tuple[tuple[str, str], ...]:
    """What is known of where a file comes from, as names and values."""
    forked = tuple(("forked", fork_text(one)) for one in reversed(forks))
    if manifest is None:
        return forked
    epoch, _, txid = manifest.position.partition("/")
    known = (
        ("workflow", manifest.workflow),
        ("values", "placeholders stand in the place of all of them" if manifest.redacted else ""),
        ("from", manifest.source),
        ("epoch", epoch and f"{epoch}, so {_lives(epoch)}"),
        (
            "transaction",
            txid and f"{txid}, {'the newest then' if manifest.is_newest else 'the store holds later ones'}",
        ),
        ("written", f"{manifest.written_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("pulled", f"{manifest.pulled_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("state then", manifest.state),
        ("identity", manifest.identity),
        ("image", manifest.image or ""),
        ("code", ", ".join(manifest.executions.app_versions) if manifest.executions else ""),
        ("SHA-256", manifest.sha256),
        *((f"life {life.epoch:,}", _begun(life)) for life in manifest.lives[-_MOST_LIVES:]),
    )
    return (*forked, *((name, value) for name, value in known if value))


def _begun(life: Life) -> str:
    since = f"since {life.claimed_at}, " if life.claimed_at else ""
    if life.began_with is None:
        return f"{since}began with nothing that was restored"
    return f"{since}restored from {life.began_with}{' of another workflow' if life.of_another else ''}"


def _lives(epoch: str) -> str:
    before = int(epoch) - 1 if epoch.isdecimal() else 0
    return "its first life" if not before else f"{before:,} {'life' if before == 1 else 'lives'} before this one"
