"""Does the demo on the cluster tell its story to the end, and leave the cluster as it found it, whatever happens?"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from e2e.running_cluster import Cluster

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

DEMO = Path(__file__).parents[2] / "hack" / "demo"


def traces(cluster: Cluster) -> list[str]:
    """What a demo that ended may not leave."""
    namespaces = cluster.get("namespaces")["items"]
    left = [each["metadata"]["name"] for each in namespaces if each["metadata"]["name"].startswith("demo-")]
    return left + [node for node in cluster.nodes if not cluster.is_ready(node)]


def test_the_demo_passes_and_leaves_nothing(cluster: Cluster) -> None:
    ran = subprocess.run([DEMO, "--cluster"], capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "demo passed" in ran.stdout
    assert traces(cluster) == []


@pytest.mark.parametrize("moment", ["kubectl apply", "off from everything"])
def test_a_demo_that_is_interrupted_leaves_nothing(moment: str, cluster: Cluster) -> None:
    with subprocess.Popen([DEMO, "--cluster"], stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout is not None
        told = next((line for line in demo.stdout if moment in line), None)
        assert told is not None
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(300) == 128 + signal.SIGINT, rest
    assert traces(cluster) == []
