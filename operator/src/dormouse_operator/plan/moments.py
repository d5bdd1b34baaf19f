"""Since when does time run of which the status remembers the beginning? The clock may have been set back meanwhile.

What is still to come was told by a clock that was ahead. Then time begins anew, and the status says so: else whoever
counts would wait for that moment first.
"""

from datetime import datetime


def is_ahead(told: str, now: datetime) -> bool:
    """Whether this moment is still to come."""
    return datetime.fromisoformat(told) > now


def in_seconds(now: datetime) -> str:
    """As Kubernetes writes moments; rounded down."""
    return now.isoformat(timespec="seconds").replace("+00:00", "Z")


def in_milliseconds(now: datetime) -> str:
    """As above, for what may happen more than once in a second."""
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
