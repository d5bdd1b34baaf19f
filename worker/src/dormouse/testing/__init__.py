"""Test workflows in the same process: time jumps, activities fail as told, the process dies where you say.

pytest finds the fixture `durable` by itself. Elsewhere make a `Durable` with a folder of its own.
"""

from __future__ import annotations

from dormouse.engine.clock import ManualClock
from dormouse.testing.durable import Durable
from dormouse.testing.engine import Stuck, VirtualEngine
from dormouse.testing.replaying import NotReplayed, replay

__all__ = ["Durable", "VirtualEngine", "ManualClock", "Stuck", "replay", "NotReplayed"]
