"""How is a payload shown, whatever is in it? As a tree to be folded, within bounds that are said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

LARGEST_DECODED = 1024 * 1024
"""What is larger is shown by its beginning: a tree of it would take many times its size."""
_LARGEST_TEXT = 64 * 1024
_LONGEST_VALUE = 4000
_MOST_NODES = 600
_DEEPEST = 24
_OPEN_NODES = 80
_LONGEST_PREVIEW = 140
_REFERENCE = re.compile(rb"\x02.{5}", re.DOTALL)  # as dormouse.engine.folding writes them
_FOLDED = b"\x01"

Kind = Literal["object", "list", "text", "number", "word", "deeper"]


@dataclass(frozen=True)
class Node:
    """A value, and those in it.

    Attributes:
        label: its name in an object; None in a list.
        text: of what has no values in it; how many there are of what has.
        more: how many characters, or values, are left out.
        is_open: whether it is shown unfolded.
    """

    kind: Kind
    label: str | None
    text: str
    children: tuple[Node, ...] = ()
    more: int = 0
    is_open: bool = False


@dataclass(frozen=True)
class PayloadView:
    """A payload as a tree or, where it is none, the beginning of its text.

    Attributes:
        size: of the whole, in bytes.
        is_cut: whether something is left out.
    """

    size: int
    root: Node | None
    text: str | None
    is_cut: bool


@dataclass
class _Budget:
    nodes: int = _MOST_NODES
    characters: int = _LARGEST_TEXT
    is_cut: bool = field(default=False)


def payload_view(payload: bytes) -> PayloadView:
    """Look at a payload."""
    if len(payload) <= LARGEST_DECODED:
        try:
            return tree(msgspec.json.decode(payload), len(payload))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            pass  # it is shown as what it is
    text = payload[:_LARGEST_TEXT].decode(errors="replace")
    return PayloadView(len(payload), None, text, is_cut=len(payload) > _LARGEST_TEXT)


def tree(value: Any, size: int) -> PayloadView:
    """The same of what is decoded already."""
    budget = _Budget()
    root = _node(None, value, budget, 0, is_open=_count(value, _OPEN_NODES) < _OPEN_NODES)
    return PayloadView(size, root, None, budget.is_cut)


def _node(label: str | None, value: Any, budget: _Budget, depth: int, *, is_open: bool) -> Node:
    budget.nodes -= 1
    if label is not None:
        label = _cut(label, budget)[0]
    if isinstance(value, Mapping | list):
        kind: Kind = "list" if isinstance(value, list) else "object"
        if depth == _DEEPEST:
            budget.is_cut = True
            return Node("deeper", label, f"more than {_DEEPEST} levels deep")
        pairs = ((None, one) for one in value) if isinstance(value, list) else value.items()
        children = []
        for name, one in pairs:
            if budget.nodes <= 0 or budget.characters <= 0:
                budget.is_cut = True
                break
            children.append(_node(name, one, budget, depth + 1, is_open=is_open))
        shown = is_open or depth == 0
        return Node(kind, label, _size_of(kind, len(value)), tuple(children), len(value) - len(children), shown)
    if isinstance(value, str):
        text, more = _cut(value, budget)
        return Node("text", label, text, more=more)
    if value is None or isinstance(value, bool):
        return Node("word", label, {None: "null", True: "true", False: "false"}[value])
    text, more = _cut(str(value), budget)
    return Node("number", label, text, more=more)


def _size_of(kind: Kind, count: int) -> str:
    things = "value" if kind == "list" else "field"
    return f"{count:,} {things}{'' if count == 1 else 's'}"


def _cut(text: str, budget: _Budget) -> tuple[str, int]:
    length = max(0, min(len(text), _LONGEST_VALUE, budget.characters))
    budget.characters -= length
    budget.is_cut = budget.is_cut or length < len(text)
    return text[:length], len(text) - length


def _count(value: Any, enough: int) -> int:
    """How many values there are, as far as that matters."""
    found, left = 0, [value]
    while left and found < enough:
        one = left.pop()
        found += 1
        if isinstance(one, Mapping):
            left.extend(list(one.values())[:enough])
        elif isinstance(one, list):
            left.extend(one[:enough])
    return found


def preview(stored: bytes) -> str:
    """A line of what begins like this in the file; for what lies elsewhere there is an ellipsis."""
    text = _REFERENCE.sub("…".encode(), stored.removeprefix(_FOLDED))
    line = " ".join(text[: _LONGEST_PREVIEW * 4].decode(errors="replace").split())
    return line if len(line) <= _LONGEST_PREVIEW else f"{line[:_LONGEST_PREVIEW]}…"


def size_text(size: int) -> str:
    """For people."""
    for unit, length in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} bytes"
