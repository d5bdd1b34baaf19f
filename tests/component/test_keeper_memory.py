"""Does a keeper hold the memory that it works with, and no more? Each pod has one."""

from __future__ import annotations

import re
from pathlib import Path

from keeper_pod import KeeperPod, Workflow, run

from dormouse_operator.dev.seaweedfs import SeaweedFS

_RESERVED = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) ---p 00000000 00:00 0 *$", re.MULTILINE)
_HEAP_OF_A_THREAD = 64 << 20
"""So much of its addresses does glibc set aside for one."""


def test_the_threads_of_a_keeper_share_one_heap(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("acknowledged")
        await pod.keeper.barrier()
        assert _threads(pod) > 1
        assert max(_reserved(pod)) < _HEAP_OF_A_THREAD // 2

    run(story, Workflow(seaweedfs, tmp_path))


def test_a_keeper_has_one_thread_for_the_store_on_a_node_of_any_size(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        # What the keeper has set for its store's client (`test_s3_threads`) is what its child inherits.
        (child,) = _process(pod).joinpath(f"task/{_process(pod).name}/children").read_text().split()
        assert "TOKIO_WORKER_THREADS=1" in Path(f"/proc/{child}/environ").read_text().split("\0")

    run(story, Workflow(seaweedfs, tmp_path))


def _threads(pod: KeeperPod) -> int:
    return len(list(_process(pod).joinpath("task").iterdir()))


def _reserved(pod: KeeperPod) -> list[int]:
    """The sizes of what may not be touched: the ends of stacks, and what heaps may grow into."""
    found = _RESERVED.findall(_process(pod).joinpath("maps").read_text())
    return [int(end, 16) - int(start, 16) for start, end in found]


def _process(pod: KeeperPod) -> Path:
    assert pod.process is not None
    return Path(f"/proc/{pod.process.pid}")
