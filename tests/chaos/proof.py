"""Is anything acknowledged ever lost? Plays one round a seed and says what came of each; `hack/chaos` runs it."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from round import Round, Told
from story import tell

from dormouse_operator.dev.seaweedfs import SeaweedFS

_ROOT = Path(__file__).parents[2]
_LOG = _ROOT / "tests" / "CHAOS_LOG.md"
_SHOWN = 3


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hack/chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="how many rounds (10)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first round; the next has the next (1)")
    parser.add_argument("--split-brain", action="store_true", help="only zombies that outlive their successor")
    parser.add_argument("--durability", choices=("Sync", "Async"), default="Sync")
    parser.add_argument(
        "--without-reread",
        action="store_true",
        help="leave out the read of CURRENT after each upload, to see that these rounds then lose data",
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many rounds at a time (2)")
    parser.add_argument("--log", action="store_true", help="add a row to tests/CHAOS_LOG.md")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--keep", action="store_true", help="leave the folder with all logs, and say where it is")
    parser.add_argument("--story", action="store_true", help="say what would happen, and do nothing")
    options = parser.parse_args(given)
    if options.rounds < 1 or options.jobs < 1:
        parser.error("--rounds and --jobs must be at least 1")
    return options


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
            *(("without the re-read",) if options.without_reread else ()),
        )
    )
    seeds = f"{options.seed} to {options.seed + options.rounds - 1}"
    cells = (date, commit, kind, seeds, *(str(each) for name, each in figures.items() if name != "rounds"))
    return f"| {' | '.join(cells)} |\n"


async def play(options: argparse.Namespace, folder: Path) -> list[Told]:
    """Every round, some at a time."""
    server = SeaweedFS(folder / "store")
    await asyncio.to_thread(server.start)
    turn = asyncio.Semaphore(options.jobs)

    async def one(seed: int) -> Told:
        async with turn:
            story = tell(seed, options.durability, split_brain=options.split_brain)
            place = folder / f"{seed}"
            place.mkdir()
            told = await Round(story, server, place, "ownership" if options.without_reread else None).play()
            if told.kept and not options.keep:
                await asyncio.to_thread(shutil.rmtree, place)
            if not options.json:
                print(line(told), flush=True)
            return told

    try:
        async with asyncio.TaskGroup() as group:
            seeds = range(options.seed, options.seed + options.rounds)
            playing = [group.create_task(one(seed)) for seed in seeds]
    finally:
        await asyncio.to_thread(server.stop)
    return [each.result() for each in playing]


def _commit() -> str:
    git = ["git", "-C", str(_ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ".", ":!tests/CHAOS_LOG.md"], check=False)
    return head.strip() + (" and changes" if changed.returncode else "")


def main(given: Sequence[str]) -> int:
    options = arguments(given)
    if options.story:
        for seed in range(options.seed, options.seed + options.rounds):
            print(f"seed {seed} | {tell(seed, options.durability, split_brain=options.split_brain)}")
        return 0
    commit = _commit()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    told = asyncio.run(play(options, folder))
    figures = summary(told)
    kept = all(each.kept for each in told)
    if options.json:
        print(json.dumps({**figures, "commit": commit, "told": [document(each) for each in told]}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in figures.items()))
    if options.log:
        with _LOG.open("a", encoding="utf-8") as log:
            log.write(row(options, figures, commit, datetime.now(UTC).date().isoformat()))
    if options.keep or not (kept or options.without_reread):
        print(f"logs: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
