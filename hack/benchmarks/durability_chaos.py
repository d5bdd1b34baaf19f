"""What do the rounds of chaos that every run plays break? Nothing, or durability is not what the docs say."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

from frame import Baseline, Measured, Unavailable
from short_set import ASYNC, SPLIT_BRAIN, SYNC

_CHAOS = Path(__file__).resolve().parents[1] / "chaos"
_SECONDS = 25.0
_PATIENCE_SECONDS = 1800


def chaos_lost(_: bool) -> Measured:
    return _found("chaos_lost")


def chaos_corrupt(_: bool) -> Measured:
    return _found("chaos_corrupt")


def chaos_rerun(_: bool) -> Measured:
    return _found("chaos_rerun")


def preparing() -> float:
    """The rounds are played once for all three figures."""
    return 0.0 if _played.cache_info().currsize else _SECONDS


def _found(name: str) -> Measured:
    acknowledged = sum(each["acknowledged"] for each in _played())
    return Measured((sum(each[name] for each in _played()),), Baseline("acknowledged in the rounds", acknowledged))


@cache
def _played() -> list[dict[str, int]]:
    told = []
    for options in (SYNC, ASYNC, SPLIT_BRAIN):
        ran = subprocess.run(
            [_CHAOS, "--json", *options], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        if not ran.stdout:
            raise Unavailable(f"hack/chaos: {(ran.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
        found = json.loads(ran.stdout)
        if found["counted"] < found["rounds"] or found["stuck"]:
            raise Unavailable(f"{found['counted']} of {found['rounds']} rounds count, {found['stuck']} were stuck")
        told.append(found)
    return told
