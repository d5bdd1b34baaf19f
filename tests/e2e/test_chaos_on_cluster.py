"""Is nothing acknowledged lost on the real cluster, whatever befalls its nodes, its store and its operator?"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from e2e.running_cluster import Cluster

_CHAOS = Path(__file__).parents[2] / "hack" / "chaos"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_rounds_on_the_cluster_keep_every_promise(cluster: Cluster) -> None:
    options = ("--cluster", "--rounds", "6", "--seed", "1", "--json")
    ran = subprocess.run([_CHAOS, *options], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = json.loads(ran.stdout)
    assert (said["chaos_lost"], said["chaos_corrupt"], said["chaos_rerun"], said["stuck"]) == (0, 0, 0, 0)
    assert said["counted"] == 6
