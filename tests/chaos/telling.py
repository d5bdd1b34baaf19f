"""What is said of rounds? To people, to programs, and in the log that is kept."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster_story import ClusterStory
from story import Story
from verdict import Verdict

_SHOWN = 3


@dataclass(frozen=True)
class Told:
    """What is said of a round."""

    story: Story | ClusterStory
    verdict: Verdict
    acknowledged: int
    failovers: int
    stuck: str = ""
    met: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> bool:
        """Whether the round shows anything."""
        return self.acknowledged > 0 and self.failovers > 0

    @property
    def kept(self) -> bool:
        return self.verdict.kept and not self.stuck


def line(told: Told) -> str:
    """One round, for people."""
    verdict = told.verdict
    words = []
    for what, found in (
        ("lost", verdict.lost),
        ("corrupt", verdict.corrupt),
        ("run again", verdict.rerun),
        ("lost within the bound", verdict.forgiven),
    ):
        if found:
            words.append(f"{len(found)} {what}: {'; '.join(found[:_SHOWN])}")
    if told.stuck:
        words.append(f"stuck: {told.stuck}")
    if not told.counts:
        words.append("does not count")
    met = ", ".join(f"{fault} {count}" for fault, count in sorted(told.met.items()))
    return (
        f"seed {told.story.seed} | {told.story} | store faults met: {met or 'none'} | acknowledged "
        f"{told.acknowledged} | failovers {told.failovers} | {' | '.join(words) or 'kept'}"
    )


def document(told: Told) -> dict[str, object]:
    """One round, for programs."""
    return {
        "seed": told.story.seed,
        "story": str(told.story),
        "storeFaults": dict(told.met),
        "acknowledged": told.acknowledged,
        "failovers": told.failovers,
        "counts": told.counts,
        "lost": told.verdict.lost,
        "corrupt": told.verdict.corrupt,
        "runAgain": told.verdict.rerun,
        "lostWithinBound": told.verdict.forgiven,
        "stuck": told.stuck,
    }


def summary(all_told: Sequence[Told]) -> dict[str, int]:
    """The figures of a run."""
    return {
        "rounds": len(all_told),
        "counted": sum(told.counts for told in all_told),
        "acknowledged": sum(told.acknowledged for told in all_told),
        "failovers": sum(told.failovers for told in all_told),
        "chaos_lost": sum(len(told.verdict.lost) for told in all_told),
        "chaos_corrupt": sum(len(told.verdict.corrupt) for told in all_told),
        "chaos_rerun": sum(len(told.verdict.rerun) for told in all_told),
        "stuck": sum(bool(told.stuck) for told in all_told),
    }


def row(options: argparse.Namespace, figures: dict[str, int], commit: str, date: str) -> str:
    """A row of the log."""
    kind = " ".join(
        (
            "split brain" if options.split_brain else "all faults",
            options.durability,
            *(("on a cluster",) if options.cluster else ()),
            *(("without the re-read",) if options.without_reread else ()),
        )
    )
    seeds = f"{options.seed} to {options.seed + options.rounds - 1}"
    cells = (date, commit, kind, seeds, *(str(each) for name, each in figures.items() if name != "rounds"))
    return f"| {' | '.join(cells)} |\n"
