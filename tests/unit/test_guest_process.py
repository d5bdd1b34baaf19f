"""Does a guest's end count whoever notices it first?"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from dormouse.guest.process import Guest

EXITS = ("sh", "-c", "exit 3")


@pytest.mark.parametrize("late", [lambda guest: guest.send(signal.SIGTERM), lambda guest: guest.kill()])
def test_a_signal_that_comes_after_its_end_and_before_anybody_noticed_changes_nothing(
    late: Callable[[Guest], None],
) -> None:
    async def story() -> None:
        guest = Guest.start(EXITS, os.environ)
        os.waitid(os.P_PID, guest.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop has no turn to notice
        late(guest)
        assert await asyncio.wait_for(guest.exit_code, 60) == 3

    asyncio.run(story())
