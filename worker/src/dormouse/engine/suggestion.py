"""Which code would go both ways, that of a log and that of the present code? Pure.

A call that differs from the log was put in before the logged one, stands in its place, or has come nearer because the
logged one was taken out. Nobody can be sure which; what the code names below tells enough to say what is likely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dormouse.engine.journal import Event, Kind
from dormouse.engine.mismatch import CALLS, Issued
from dormouse.engine.reachable import lines_below

_SHOWN_CHARACTERS = 200
_IMPORT = "from dormouse import patched\n\n"
_SLEEP = "sleep"


def suggest(recorded: Sequence[Event], issued: Issued | None, function: Callable[..., Any]) -> str | None:
    """Code to be put where the present code differs; None where none is likely to be right.

    Args:
        recorded: what the log says from here on.
        issued: what the code asks for instead; None when it asks for nothing more.
        function: the workflow's, whose bytecode is looked at.
    """
    logged = recorded[0]
    old = _call(logged.kind, logged.name, logged.payload)
    if old is None:
        return None
    taken_out = f'{_IMPORT}if not patched("without-{_name(logged)}-{logged.command}"):\n    {old}'
    if issued is None:
        return taken_out
    new = _call(issued.kind, issued.name, issued.payload)
    if new is None:
        return None
    put_in = f'if patched("{_name(issued)}-{issued.command}"):\n    {new}{_line(issued)}'
    replaced = f"{put_in}\nelse:\n    {old}"
    comes_later = any(_is_same(one, issued) for one in recorded[1:])
    lines = len(lines_below(_number(issued.source), _name(logged), function))
    if comes_later:
        return None if lines else taken_out
    if new == old:
        return None  # they differ behind what is shown of them, where nobody could tell them apart
    if not lines or _kind_and_name(logged) == _kind_and_name(issued):
        return _IMPORT + replaced
    logged_lines = {one.source for one in recorded if _kind_and_name(one) == _kind_and_name(logged)}
    if lines >= len(logged_lines) and logged.payload != issued.payload:
        return _IMPORT + put_in
    what, other = _name(issued), _name(logged)
    return f"{_IMPORT}# when {what} was put in before {other}:\n{put_in}\n# when {what} replaces {other}:\n{replaced}"


def _call(kind: str, name: str | None, payload: bytes | None) -> str | None:
    if kind == Kind.TIMER_SET:
        return "await asyncio.sleep(...)"
    if kind not in CALLS:
        return None
    text = (payload or b"").decode(errors="replace")
    if kind == Kind.ACTIVITY_SCHEDULED:
        text = text[1:-1]
    called = f"{name}.request" if kind == Kind.APPROVAL_REQUESTED else name
    return f"await {called}({text if len(text) <= _SHOWN_CHARACTERS else '...'})"


def _name(one: Event | Issued) -> str:
    return one.name or _SLEEP


def _kind_and_name(one: Event | Issued) -> tuple[str, str]:
    return one.kind, _name(one)


def _is_same(logged: Event, issued: Issued) -> bool:
    return _kind_and_name(logged) == _kind_and_name(issued) and logged.payload == issued.payload


def _line(issued: Issued) -> str:
    return f"  # {issued.source}" if issued.source else ""


def _number(source: str | None) -> int:
    return int(source.rpartition(":")[2]) if source else 0
