"""When is an upload looked for? When it may be there, going by those before it, and then often.

Litestream tells nobody that an upload is done, and each question costs it and the keeper a third of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator

_SHORTEST_SECONDS = 0.0005
_LONGEST_FIRST_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 0.05
_SOONER = 0.9
_LATER = 1.05


class FirstLook:
    """How long after its beginning an upload is first looked for, so that one in three is there.

    Looked for too early, it costs a question; too late, it costs everybody who waits. What one upload took says
    little, an outage least of all, so only whether it was there counts, and moves the next look by a little.

    Attributes:
        seconds: after which the next upload is looked for.
    """

    def __init__(self) -> None:
        self.seconds = _SHORTEST_SECONDS

    def saw(self, there: bool) -> None:
        """Learn whether the upload was there already."""
        self.seconds *= _SOONER if there else _LATER
        self.seconds = min(max(self.seconds, _SHORTEST_SECONDS), _LONGEST_FIRST_SECONDS)

    def later(self) -> Iterator[float]:
        """How long to wait before each further look, in seconds, without end."""
        pause = max(self.seconds / 16, _SHORTEST_SECONDS)
        while True:
            yield pause
            pause = min(pause * 1.2, _LONGEST_PAUSE_SECONDS)
