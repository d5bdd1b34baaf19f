"""Does the demo find every process that it started, and no other?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HACK = Path(__file__).parents[2] / "hack"
# A child that leaves a grandchild behind, in a session of its own, and ends.
ORPHAN = """
import subprocess, sys
from process_tree import Process, adopt_orphans, below, descendants, kill_all, living_below
assert below(1, {2: 1, 3: 2, 4: 9, 9: 8}) == [2, 3]
died_between_two_looks = [Process(3, 2, "S", "store"), Process(2, 1, "Z", "")]
assert living_below(1, died_between_two_looks) == {3: "store"}
adopt_orphans()
child = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
subprocess.run([sys.executable, "-c", child], check=True)
assert list(descendants().values()) == ["sleep 60"], descendants()
assert list(kill_all().values()) == ["sleep 60"]
assert descendants() == {}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_orphan_in_another_session_is_found_and_killed() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        env={"PYTHONPATH": str(HACK)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
