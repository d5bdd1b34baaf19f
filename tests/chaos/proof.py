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

from cluster_story import tell_of_cluster
from round import Round
from story import tell
from telling import Told, document, line, row, summary

from dormouse_operator.dev.seaweedfs import SeaweedFS

_ROOT = Path(__file__).parents[2]
_LOG = _ROOT / "tests" / "CHAOS_LOG.md"


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
    parser.add_argument("--cluster", action="store_true", help="on the cluster of hack/cluster, one round at a time")
    parser.add_argument("--jobs", type=int, default=2, help="how many rounds at a time, without --cluster (2)")
    parser.add_argument("--log", action="store_true", help="add a row to tests/CHAOS_LOG.md")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--keep", action="store_true", help="leave the folder with all logs, and say where it is")
    parser.add_argument("--story", action="store_true", help="say what would happen, and do nothing")
    options = parser.parse_args(given)
    if options.rounds < 1 or options.jobs < 1:
        parser.error("--rounds and --jobs must be at least 1")
    if options.cluster and options.without_reread:
        parser.error("--without-reread breaks the keeper of local pods only; leave out --cluster")
    return options


def _seeds(options: argparse.Namespace) -> range:
    return range(options.seed, options.seed + options.rounds)


def play_on_cluster(options: argparse.Namespace, folder: Path) -> list[Told]:
    """Every round, one after the other, with the operator and the images of this tree."""
    from cluster_round import playing_on_cluster

    told = []
    with playing_on_cluster(folder) as play_round:
        for seed in _seeds(options):
            told.append(play_round(tell_of_cluster(seed, options.durability, split_brain=options.split_brain)))
            if not options.json:
                print(line(told[-1]), flush=True)
    return told


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
            playing = [group.create_task(one(seed)) for seed in _seeds(options)]
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
        teller = tell_of_cluster if options.cluster else tell
        for seed in _seeds(options):
            print(f"seed {seed} | {teller(seed, options.durability, split_brain=options.split_brain)}")
        return 0
    commit = _commit()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    told = play_on_cluster(options, folder) if options.cluster else asyncio.run(play(options, folder))
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
