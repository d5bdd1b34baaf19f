"""What does a scrape by Prometheus see of a keeper? Written by hand: the library weighs more than all the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from dormouse.engine.tally import Durations
from dormouse.keeper.steps import Step
from dormouse.replica.requests import Requests

_EXPONENTS = range(19, 38, 2)  # 0.5 ms to 137 s
_RESTORE = "restore"


@dataclass(frozen=True)
class Figures:
    """What is true at the moment of a scrape.

    Attributes:
        lag_seconds: for how long the oldest commit that anybody waits for has not been safe; 0 when all is.
        barriers: how long they took; None before the gate is open.
        store_trouble: why the store does not keep up; empty while it does.
        proven_seconds: how long ago the store showed this life as the owner; None before it ever did.
        steps: what was done until the gate was open.
        litestream: what Litestream answered to a scrape; empty while it does not.
    """

    epoch: int
    is_ready: bool
    lag_seconds: float
    barriers: Durations | None
    store_trouble: str
    proven_seconds: float | None
    steps: Sequence[Step]
    litestream: str


def exposition(figures: Figures, requests: Requests) -> str:
    """The numbers in the text format of Prometheus, those of Litestream among them."""
    return "".join(f"{line}\n" for line in _lines(figures, requests))


def _lines(figures: Figures, requests: Requests) -> Iterator[str]:
    yield from _family("epoch", "gauge", "The epoch of this life.", {"": figures.epoch})
    yield from _family("ready", "gauge", "Whether it is restored, replicating and not fenced.", {"": figures.is_ready})
    yield from _family("lag_seconds", "gauge", "For how long a commit has not been safe.", {"": figures.lag_seconds})
    yield from _histogram("barrier_seconds", "How long barriers took.", figures.barriers or Durations())
    keeps_up = figures.barriers is not None and not figures.store_trouble
    yield from _family("store_keeps_up", "gauge", "Whether the store takes what is written.", {"": keeps_up})
    if figures.proven_seconds is not None:
        meaning = "How long ago the store showed this life as the owner."
        yield from _family("ownership_proven_seconds", "gauge", meaning, {"": figures.proven_seconds})
    done = {f'step="{step.name}"': (step.ended_ns - step.began_ns) / 1e9 for step in figures.steps if step.ended_ns}
    yield from _family("step_seconds", "gauge", "How long the steps until the gate was open took.", done)
    restored = [step.facts["bytes"] for step in figures.steps if step.name == _RESTORE and "bytes" in step.facts]
    if restored:
        yield from _family("restored_bytes", "gauge", "The size of the restored database.", {"": float(restored[-1])})
    counts = {
        f'operation="{operation}",outcome="{outcome}"': count for (operation, outcome), count in requests.counts.items()
    }
    yield from _family("store_requests_total", "counter", "Requests to the store, without Litestream's.", counts)
    sizes = {f'operation="{operation}"': count for operation, count in requests.bytes.items()}
    yield from _family("store_bytes_total", "counter", "Bytes of objects, without Litestream's.", sizes)
    yield from (line for line in figures.litestream.splitlines() if _is_about_replication(line))


def _is_about_replication(line: str) -> bool:
    """Of Litestream's own; what its language tells of itself stays there."""
    return line.startswith(("litestream_", "# HELP litestream_", "# TYPE litestream_"))


def _family(name: str, kind: str, meaning: str, values: Mapping[str, float]) -> Iterator[str]:
    full = f"dormouse_keeper_{name}"
    yield f"# HELP {full} {meaning}"
    yield f"# TYPE {full} {kind}"
    for labels, value in values.items():
        yield f"{full}{{{labels}}} {float(value)!r}" if labels else f"{full} {float(value)!r}"


def _histogram(name: str, meaning: str, durations: Durations) -> Iterator[str]:
    full = f"dormouse_keeper_{name}"
    yield f"# HELP {full} {meaning}"
    yield f"# TYPE {full} histogram"
    upto = list(accumulate(durations.counts))
    for exponent in _EXPONENTS:
        yield f'{full}_bucket{{le="{2**exponent / 1e9:g}"}} {upto[exponent]}'
    yield f'{full}_bucket{{le="+Inf"}} {upto[-1]}'
    yield f"{full}_sum {durations.total_ns / 1e9!r}"
    yield f"{full}_count {upto[-1]}"
