"""What goes first, the code or the disk, and does the code wait for it? Pure: from how long both took lately."""

from __future__ import annotations

BRIEF_SECONDS = 0.005
"""As long as any thread may have to wait for Python, so the loop stands still for that long all the same."""
_WORTH_A_THREAD_SECONDS = 0.001
"""What the thread and the loop lose to each other while both work, mostly by waiting for Python, is about half of this
(measured with 100 and 400 workflows and commits of 0.4 to 4 ms)."""


def is_brief(writing_seconds: float) -> bool:
    """Whether the loop itself makes a commit, or waits for it, where the engine has nothing to do until it is made.

    A thread has to be woken, and has to wake the loop; on a busy machine both together take longer than the commit.
    """
    return 0 < writing_seconds <= BRIEF_SECONDS  # 0 when nothing was written yet


def told_first(unheard: int, telling_seconds: float, writing_seconds: float) -> int:
    """Of how many events the code hears before the next batch is made, while nothing is being written.

    `writing_seconds` is how long it takes until a commit counts: one that waits for the store is better shared by all.
    Where all wait for the same commit, the code does nothing while the disk works, and the disk nothing while the code
    runs. When one half of them goes first, it is written while the other half runs, from then on in turns. That takes
    a commit more, so it must be worth one; and a thread, so the disk must take longer than what that costs.
    """
    worth_it = _WORTH_A_THREAD_SECONDS < writing_seconds < unheard * telling_seconds
    return (unheard + 1) // 2 if worth_it else unheard


def hears_first(unheard: int, telling_seconds: float, writing_seconds: float) -> bool:
    """Whether the code hears of so many events before what has arrived meanwhile is written, to share the next batch.

    Where neither takes long, two groups of workflows, of which one is written while the code of the other runs, are
    slower than one, and they would never become one by themselves.
    """
    telling, writing = unheard * telling_seconds, writing_seconds
    return 0 < telling <= _WORTH_A_THREAD_SECONDS and 0 < writing <= _WORTH_A_THREAD_SECONDS
