"""How does a test run coroutines without waiting for anything?"""

from __future__ import annotations

import asyncio

_SETTLING = 12


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock stands still unless the test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Run what can run, without waiting for anything."""
        for _ in range(_SETTLING):
            self.call_soon(self.stop)
            self.run_forever()
