"""Which executions does the list show, and at which URL does it show them? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from dormouse.engine.clock import SECOND
from dormouse.engine.ending import Status
from dormouse.errors import InvalidInput

PAGE = 50
SORTS = {"newest": "newest first", "oldest": "oldest first"}
FIELDS = ("state", "workflow", "q", "since", "until", "sort", "after")
_LONGEST_TEXT = 200
LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True)
class Filters:
    """What is asked for. `since` and `until` are days in UTC, both of them included."""

    state: Status | None = None
    workflow: str = ""
    text: str = ""
    since: date | None = None
    until: date | None = None
    sort: str = "newest"
    after: int | None = None

    @property
    def any(self) -> bool:
        """Whether something is left out because of them."""
        return self != Filters(sort=self.sort, after=self.after)

    def at(self, **changes: Any) -> str:
        """The query of the URL with these changes; without the page, unless that is among them."""
        changed = replace(self, **{"after": None} | changes)
        fields = {
            "state": changed.state,
            "workflow": changed.workflow,
            "q": changed.text,
            "since": changed.since and changed.since.isoformat(),
            "until": changed.until and changed.until.isoformat(),
            "sort": changed.sort if changed.sort != Filters.sort else "",
            "after": changed.after,
        }
        given = {name: str(value) for name, value in fields.items() if value}
        return f"?{urlencode(given)}" if given else "?"

    def where(self) -> tuple[str, list[object]]:
        """The condition that the rows fulfil, their order, and the values."""
        conditions, values = ["1"], list[object]()

        def add(condition: str, *given: object) -> None:
            conditions.append(condition)
            values.extend(given)

        if self.state is not None:
            add("status = ?", self.state.value)
        if self.workflow:
            add("workflow = ?", self.workflow)
        if self.text:
            pattern = f"%{self.text.translate(_ESCAPES)}%"
            add(r"(id LIKE ? ESCAPE '\' OR workflow LIKE ? ESCAPE '\')", pattern, pattern)
        if self.since is not None:
            add("started_at >= ?", _microseconds(self.since))
        if self.until is not None:
            add("started_at < ?", _microseconds(self.until + timedelta(days=1)))
        newest = self.sort == "newest"
        if self.after is not None:
            add("key < ?" if newest else "key > ?", self.after)
        return f"{' AND '.join(conditions)} ORDER BY key {'DESC' if newest else 'ASC'}", values


_ESCAPES = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def filters_of(query: Mapping[str, str]) -> Filters:
    """Read a URL's query; what it does not name is not filtered.

    Raises:
        InvalidInput: naming the field.
    """
    state = query.get("state", "")
    if state and state not in set(Status):
        raise InvalidInput(f"`state` is one of {', '.join(Status)}, not {state!r}")
    sort = query.get("sort", "") or Filters.sort
    if sort not in SORTS:
        raise InvalidInput(f"`sort` is one of {', '.join(SORTS)}, not {sort!r}")
    text = query.get("q", "").strip()
    if len(text) > _LONGEST_TEXT:
        raise InvalidInput(f"`q` may have {_LONGEST_TEXT} characters")
    return Filters(
        Status(state) if state else None,
        query.get("workflow", ""),
        text,
        _day(query, "since"),
        _day(query, "until"),
        sort,
        number(query, "after"),
    )


def check_names(query: Iterable[str], *known: str) -> None:
    """Refuse a field that a page does not know: what is misspelt would show something else than was asked for.

    Raises:
        InvalidInput: naming the field, and those that there are.
    """
    for name in query:
        if name not in known:
            there_are = f"those are {', '.join(known)}" if known else "this page takes none"
            raise InvalidInput(f"there is no field `{name[:40]}` in this URL's query; {there_are}")


def number(query: Mapping[str, str], name: str) -> int | None:
    """A field that is a number, or is not there."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(LARGEST_KEY)) or int(text) > LARGEST_KEY:
        raise InvalidInput(f"`{name}` is a number, not {text[:40]!r}; follow the links of the page")
    return int(text)


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"`{name}` is a day such as 2026-05-01, not {text[:40]!r}") from None
    if day == date.max:
        raise InvalidInput(f"`{name}` is later than any day that can be")
    return day


def _microseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * SECOND
