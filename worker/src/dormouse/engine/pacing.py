"""What goes first, the code or the disk? Pure: from how long both took lately.

The executions of an engine fall into two halves: one is written while the other's code runs, from then on in turns. Or
all of them wait for the same commit: then the code does nothing while the disk works, and the disk nothing while the
code runs, but a commit holds twice as much. The halves are better where the code takes longer than the disk.
"""

from __future__ import annotations


def told_first(unheard: int, telling_seconds: float, writing_seconds: float) -> int:
    """Of how many events the code hears before the next batch is made, while nothing is being written.

    Halves take a commit more, so they must be worth one.
    """
    return (unheard + 1) // 2 if unheard * telling_seconds > writing_seconds else unheard


def waits_for_code(unheard: int, arrived: int, telling_seconds: float, writing_seconds: float) -> bool:
    """Whether what has arrived is to be written only together with what the code asks for once it has heard the rest.

    What it then asks for has to run as well, which takes about as long as to tell.
    """
    return unheard > 0 and arrived > 0 and 2 * (unheard + arrived) * telling_seconds < writing_seconds
