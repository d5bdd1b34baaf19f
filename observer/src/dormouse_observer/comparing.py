"""Where do two logs part? Pure.

Compared is what happened: kinds, names, numbers and values. Not compared are moments, positions, lines of the code, and
tracebacks, which differ between two runs of the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from dormouse.commands.printing import table
from dormouse.difference import around, first_difference, parts_at, told
from dormouse.runtime.views import EventView


class Pair(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened at the same place of both logs; nothing where one of them has ended.

    Attributes:
        path: where in their values the first difference is, if it is there that they differ.
    """

    same: bool
    a: EventView | None = None
    b: EventView | None = None
    path: str | None = None


class Comparison(msgspec.Struct, frozen=True, omit_defaults=True):
    """Two executions.

    Attributes:
        a, b: their ids.
        same: whether the same happened.
        common: how many events are the same before the first that differs.
        pairs: the last of those, and what follows.
        more: how many further pairs there are.
    """

    a: str
    b: str
    same: bool
    common: int
    pairs: tuple[Pair, ...] = ()
    more: int = 0


class Comparisons(msgspec.Struct, frozen=True, rename="camel"):
    """All that was compared, and what only one side has.

    Attributes:
        values_compared: not where one of the files has placeholders instead of them.
    """

    same: bool
    executions: tuple[Comparison, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    values_compared: bool = True


def compared(
    a: str,
    events_a: Sequence[EventView],
    b: str,
    events_b: Sequence[EventView],
    limit: int,
    *,
    has_values: bool = True,
) -> Comparison:
    """Where the logs of two executions part, with so many pairs from there on.

    Without values, what happened is compared and the types of failures alone.
    """
    pairs = [_pair(one, other, has_values=has_values) for one, other in zip_longest(events_a, events_b)]
    common = next((number for number, pair in enumerate(pairs) if not pair.same), None)
    if common is None:
        return Comparison(a, b, same=True, common=len(pairs))
    shown = pairs[max(0, common - 1) : common + limit]
    more = max(0, len(pairs) - common - limit)
    return Comparison(a, b, same=False, common=common, pairs=tuple(shown), more=more)


def _pair(a: EventView | None, b: EventView | None, *, has_values: bool) -> Pair:
    if a is None or b is None or _what(a) != _what(b):
        return Pair(same=False, a=a, b=b)
    if not has_values:
        return Pair(_type_of_failure(a) == _type_of_failure(b), a, b)
    found = first_difference(_value(a), _value(b))
    return Pair(found is None, a, b, None if found is None else found.path)


def _what(event: EventView) -> tuple[object, ...]:
    return event.kind, event.command, event.name, event.attempt


def _value(event: EventView) -> object:
    if event.payload is msgspec.UNSET:
        return None
    value = msgspec.json.decode(event.payload)
    if event.kind.endswith("Failed") and isinstance(value, dict):
        return {"type": value.get("type"), "message": value.get("message")}
    return value


def _type_of_failure(event: EventView) -> object:
    value = _value(event)
    return value["type"] if event.kind.endswith("Failed") and isinstance(value, dict) else None


def comparisons_text(found: Comparisons, a: str, b: str) -> str:
    """For a person: each pair of executions that differ, side by side."""
    parts = [_side_by_side(one, a, b, has_values=found.values_compared) for one in found.executions if not one.same]
    parts += [f"only in {file}: {', '.join(ids)}" for file, ids in ((a, found.only_a), (b, found.only_b)) if ids]
    alike = sum(one.same for one in found.executions)
    if alike or not parts:
        but = "" if found.values_compared else ", but for values"
        parts.append(f"{alike} execution{'' if alike == 1 else 's'} the same{but}")
    if not found.values_compared:
        parts.append("values were not compared: placeholders stand in their place, for a file was redacted")
    return "\n\n".join(parts)


def _side_by_side(one: Comparison, a: str, b: str, *, has_values: bool) -> str:
    heading = one.a if one.a == one.b else f"{one.a} and {one.b}"
    rows = [["", "A", a, "", "B", b, ""]]
    rows += [_row(pair) for pair in one.pairs]
    same = "the same" if has_values else "the same but for values"
    lines = [f"{heading}: {same} in the first {one.common} events, then", table(rows)]
    first = next((pair for pair in one.pairs if not pair.same), None)
    if first is not None and first.a is not None and first.b is not None:
        found = first_difference(_value(first.a), _value(first.b))
        if first.path is not None and found is not None:
            positions = dict.fromkeys((first.a.position, first.b.position))
            who = " and ".join(map(str, positions))
            lines.append(
                f"event {who} differs at {told(found)}"
                if len(positions) == 1
                else f"events {who} differ at {told(found)}"
            )
    if one.more:
        lines.append(f"and {one.more} more; give a higher --limit")
    return "\n".join(lines)


def _row(pair: Pair) -> list[str]:
    texts = ["" if one is None else _text(one) for one in (pair.a, pair.b)]
    index = parts_at(*texts) if pair.path is not None else 0
    cells = (
        [str(one.position), _title(one), around(text, index)] if one is not None else ["", "-", ""]
        for one, text in zip((pair.a, pair.b), texts, strict=True)
    )
    return ["=" if pair.same else "!", *(cell for side in cells for cell in side)]


def _title(event: EventView) -> str:
    return " ".join(filter(None, [event.kind, event.name, f"number {event.command}" if event.command else ""]))


def _text(event: EventView) -> str:
    value = _value(event)
    if event.kind.endswith("Failed") and isinstance(value, dict):
        return f"{value['type']}: {value['message']}"
    return "" if value is None else msgspec.json.encode(value, order="sorted").decode()
