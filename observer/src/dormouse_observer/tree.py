"""Which executions does a file have, who called whom, and what does each wait for, or why did it end?

The tree is a list in the order in which it is drawn, each with its depth: executions may call each other to any depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dormouse.client.forks import Fork
from dormouse.client.opening import NotReadable
from dormouse.commands.printing import coloured, table, what_is_waited_for
from dormouse.engine.ending import Status
from dormouse.engine.sealing import Codec
from dormouse.runtime.views import waiting_view
from dormouse_observer.web.reader import DAMAGED, Listed, PagedFile, Standing

_ROWS_AT_ONCE = 500
_LONGEST_REASON = 120
_NOT_KNOWN = "its code, or a signal: the file does not say"


class Node(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One execution.

    Attributes:
        depth: how many executions of the tree are above it.
        parent: the id of the one that called it.
        waits_for: what an open one waits for, as far as the file knows.
        reason: why it is blocked, or ended without a result.
    """

    id: str
    workflow: str
    status: str
    depth: int
    parent: str | None = None
    waits_for: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Tree:
    """The executions as they are drawn; `left_out` says how many more there are, `forks` of what the file is one."""

    nodes: tuple[Node, ...]
    left_out: int = 0
    forks: tuple[Fork, ...] = ()


def tree_of(path: Path, execution_id: str | None, limit: int, codec: Codec | None) -> Tree:
    """The executions of a file, or one of them with those that it has called.

    Raises:
        UnknownExecution: when there is none with this id.
        NotReadable, NewerFile: when it is no database of ours, or is damaged.
    """
    try:
        with PagedFile(path, codec) as file:
            root = None if execution_id is None else file.one(execution_id).key
            return _drawn(file, root, limit)
    except DAMAGED as error:
        raise NotReadable(f"{path}: {error}; it is damaged, pull or copy it again") from error


def _drawn(file: PagedFile, root: int | None, limit: int) -> Tree:
    rows = file.family()
    drawn = list(in_order(rows, root))
    shown = drawn[:limit]
    standings: dict[int, Standing] = {}
    for begin in range(0, len(shown), _ROWS_AT_ONCE):
        standings |= file.standings([row for row, _ in shown[begin : begin + _ROWS_AT_ONCE]])
    ids = {row.key: row.id for row in rows}
    nodes = tuple(_node(row, depth, ids, standings[row.key]) for row, depth in shown)
    return Tree(nodes, len(drawn) - len(shown), file.forks)


def in_order(rows: Sequence[Listed], root: int | None) -> Iterator[tuple[Listed, int]]:
    """Each with its depth, children behind who called them; the first of all is the root, or the oldest without one."""
    known = {row.key for row in rows}
    children: dict[int | None, list[Listed]] = {}
    for row in rows:
        children.setdefault(row.parent if row.parent in known else None, []).append(row)
    roots = children.get(None, []) if root is None else [row for row in rows if row.key == root]
    left = [(row, 0) for row in reversed(roots)]
    drawn: set[int] = set()
    while left:
        row, depth = left.pop()
        if row.key in drawn:  # something else wrote into the file: they call each other in a ring
            continue
        drawn.add(row.key)
        yield row, depth
        left += [(child, depth + 1) for child in reversed(children.get(row.key, []))]


def _node(row: Listed, depth: int, ids: Mapping[int, str], standing: Standing) -> Node:
    waits = [what_is_waited_for(waiting_view(one)) for one in standing.waiting]
    if standing.more:
        waits.append(f"{standing.more} more")
    parent = None if row.parent is None else ids.get(row.parent)
    return Node(row.id, row.workflow, row.status, depth, parent, tuple(waits), _reason(standing))


def _reason(standing: Standing) -> str | None:
    if standing.unreadable is not None:
        return standing.unreadable
    if standing.blocked is not None:
        return standing.blocked.message
    return None if standing.failure is None else str(standing.failure).removesuffix(": ")


def tree_text(tree: Tree) -> str:
    """For people: lines that show who called whom."""
    rows = [["EXECUTION", "WORKFLOW", "STATUS", "WAITS FOR, OR WHY"]]
    for node, branch in zip(tree.nodes, _branches([node.depth for node in tree.nodes]), strict=True):
        why = "; ".join(node.waits_for) or node.reason or (_NOT_KNOWN if node.status == Status.OPEN else "")
        rows.append([branch + node.id, node.workflow, coloured(node.status), _short(why)])
    return table(rows, cut=False)


def _branches(depths: Sequence[int]) -> list[str]:
    """What stands before each execution. Pure: from the last line up, since a line goes on to a later sibling."""
    found: list[str] = []
    follows: set[int] = set()
    for depth in reversed(depths):
        follows = {one for one in follows if one <= depth}
        if depth:
            before = "".join("│  " if level in follows else "   " for level in range(1, depth))
            found.append(before + ("├─ " if depth in follows else "└─ "))
        else:
            found.append("")
        follows.add(depth)
    return found[::-1]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
