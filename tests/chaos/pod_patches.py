"""What a round changes in a pod's processes: their clock, and the rule that it leaves out.

Copied as `sitecustomize.py`, which Python imports at its start, beside a file `CLOCK` with the seconds by which the
clock is wrong, and, if a rule is to be left out, beside `sabotage.py` and its file `SABOTAGE`.
"""

import time
from collections.abc import Callable
from pathlib import Path

_HERE = Path(__file__).parent
_CLOCK = _HERE / "CLOCK"


def _wrong_by_seconds() -> float:
    return float(_CLOCK.read_text() or 0)


def _shifted(seconds: Callable[[], float], nanoseconds: Callable[[], int]) -> None:
    def wrong_time() -> float:
        return seconds() + _wrong_by_seconds()

    def wrong_time_ns() -> int:
        return nanoseconds() + int(_wrong_by_seconds() * 1_000_000_000)

    time.time, time.time_ns = wrong_time, wrong_time_ns


if _CLOCK.exists():
    _shifted(time.time, time.time_ns)
if (_HERE / "SABOTAGE").exists():
    import sabotage  # noqa: F401 - it breaks what the file says
