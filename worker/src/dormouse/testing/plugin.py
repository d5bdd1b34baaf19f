"""What does pytest offer once Dormouse is installed? The fixture `durable`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dormouse.testing import Durable


@pytest.fixture
def durable(tmp_path: Path) -> Durable:
    """A database file, a clock that jumps, and faults, for this test alone."""
    from dormouse.testing import Durable  # late: most sessions of pytest need none of it

    return Durable(tmp_path)
