"""What goes first, the code or the disk? Pure: from how long both took lately."""

from __future__ import annotations


def told_first(unheard: int, telling_seconds: float, writing_seconds: float) -> int:
    """Of how many events the code hears before the next batch is made, while nothing is being written.

    `writing_seconds` is how long it takes until a commit counts: one that waits for the store is better shared by all.
    Where all wait for the same commit, the code does nothing while the disk works, and the disk nothing while the code
    runs. When one half of them goes first, it is written while the other half runs, from then on in turns. That takes
    a commit more, so it must be worth one.
    """
    return (unheard + 1) // 2 if unheard * telling_seconds > writing_seconds else unheard
