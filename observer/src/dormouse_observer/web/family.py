"""Which executions hang below one, as far as its page shows them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dormouse_observer.tree import in_order
from dormouse_observer.web.reader import Listed, PagedFile
from dormouse_observer.web.waiting import Commands, Sentence, sentence

MOST = 200
"""Executions on a page."""
_UNFOLDED = 2
"""Levels."""


@dataclass(frozen=True)
class Member:
    """An execution in the tree, as it is written down from above to below.

    Attributes:
        has_children: whether the next one hangs below it.
        closes: how many levels end behind it.
        is_unfolded: whether those below it are shown at once.
    """

    row: Listed
    sentence: Sentence
    has_children: bool
    closes: int
    is_unfolded: bool


@dataclass(frozen=True)
class Family:
    """Those below an execution; `is_cut` when there are more."""

    members: tuple[Member, ...]
    is_cut: bool = False


def family_of(file: PagedFile, row: Listed, names: Commands) -> Family:
    """All that it called, that those called, and so on."""
    found = file.below(row, MOST + 1)
    drawn = [(one, depth) for one, depth in in_order([row, *found[:MOST]], row.key) if depth]
    standings = file.standings([one for one, _ in drawn])
    depths = [depth for _, depth in drawn]
    said = [sentence(one, standings[one.key], names) for one, _ in drawn]
    members = tuple(
        Member(one, text, following > depth, max(0, depth - following), depth < _UNFOLDED)
        for (one, depth), text, following in zip(drawn, said, _following(depths), strict=True)
    )
    return Family(members, len(found) > MOST)


def _following(depths: Sequence[int]) -> list[int]:
    """How deep the one behind each is; behind the last comes the first level again."""
    return [after for _, after in pairwise([*depths, 1])]
