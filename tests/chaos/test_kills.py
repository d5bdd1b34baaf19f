"""Is anything acknowledged ever lost, when everything is killed at random moments and the volume is gone each time?

The same harness with the keeper broken on purpose must find losses, or it proves nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from dev_project import DevProject
from history import Attempt, Loss, losses, lost_spans_seconds

from dormouse_operator.dev.seaweedfs import SeaweedFS


class Chaos:
    """Disturbs one workflow from its start to its end, and then looks at what the store saw."""

    def __init__(self, project: DevProject, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.zombies: list[int] = []
        self.stranded: list[DevProject] = []

    def progress(self) -> int:
        return len({attempt.step for attempt in self.project.attempts()})

    def start_and_run_a_while(self) -> None:
        """Run for a random while after the first step of this life, so that every round disturbs work."""
        before = self.progress()
        self.project.start("--quiet")
        self.project.wait_until(lambda: self.progress() > before, 60, "one more step")
        time.sleep(self.random.uniform(0, 0.4))

    def kill(self) -> None:
        self.project.kill_everything()
        self.project.wipe_volumes(whole_pods=self.random.random() < 0.5)

    def kill_controller(self) -> None:
        """Operator and kubelet die together; whether the pods go on or go with them, the next `start` has to cope."""
        assert self.project.process is not None
        self.project.process.kill()
        self.project.process.wait(10)
        time.sleep(self.random.uniform(0, 0.4))

    def strand(self) -> None:
        """The node is cut off: dev dies, the pod's processes freeze, the API server thinks the pod is gone."""
        project = self.project
        assert project.process is not None
        project.process.kill()
        project.process.wait(10)
        self.zombies = list(project.processes())
        for pid in self.zombies:
            os.kill(pid, signal.SIGSTOP)
        moved = project.folder.with_name(f"{project.folder.name}-{uuid.uuid4().hex[:4]}")
        moved.mkdir()
        (moved / ".dormouse").mkdir()
        shutil.copy(project.folder / ".dormouse" / "state.json", moved / ".dormouse")
        self.stranded.append(project)
        self.project = DevProject(
            moved, project.server, project.prefix, project.steps, project.step_seconds, project.durability,
            project.max_lag_seconds, project.ballast_bytes, project.sabotage,
        )  # fmt: skip

    def resume_zombies(self) -> None:
        for pid in self.zombies:
            os.kill(pid, signal.SIGCONT)

    def finish(self) -> list[str]:
        """Let it run to its end; the result as the database in the store has it."""
        self.project.start("--quiet", "--until-complete")
        assert self.project.wait(180) == 0, self.project.log()[-3000:]
        return self.project.stored.result()

    def result_and_losses(self) -> tuple[list[str], list[Loss], list[Attempt]]:
        result = self.finish()
        attempts = self.project.attempts()
        return result, losses(attempts, result), attempts


@pytest.fixture
def chaos(seaweedfs: SeaweedFS, tmp_path: Path) -> Iterator[list[Chaos]]:
    made: list[Chaos] = []
    yield made
    for one in made:
        for project in (one.project, *one.stranded):
            project.kill_everything()


def killed_run(
    chaos: list[Chaos], seaweedfs: SeaweedFS, folder: Path, rounds: int, seed: int, **options: object
) -> tuple[Chaos, list[str], list[Loss]]:
    project = DevProject(
        folder / "project",
        seaweedfs,
        prefix=f"chaos-{uuid.uuid4().hex[:8]}",
        steps=rounds * 12,
        **options,  # type: ignore[arg-type]
    )
    one = Chaos(project, seed)
    chaos.append(one)
    for _ in range(rounds):
        one.start_and_run_a_while()
        one.kill()
    result, found, attempts = one.result_and_losses()
    assert len(result) == project.steps
    assert len({attempt.epoch for attempt in attempts}) >= rounds, "each round must have disturbed work"
    return one, result, found


@pytest.mark.parametrize(
    ("rounds", "seed"), [(6, 1), pytest.param(50, 2, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_with_sync_nothing_acknowledged_is_lost(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path, rounds: int, seed: int
) -> None:
    one, _, found = killed_run(chaos, seaweedfs, tmp_path, rounds, seed)
    assert found == []
    assert one.project.stored.current().epoch > rounds


@pytest.mark.parametrize(
    ("rounds", "seed"), [(4, 3), pytest.param(50, 4, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_with_async_the_loss_is_within_the_bound(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path, rounds: int, seed: int
) -> None:
    _, _, found = killed_run(chaos, seaweedfs, tmp_path, rounds, seed, durability="Async", max_lag_seconds=2)
    assert all(span <= 2.0 for span in lost_spans_seconds(found).values()), found


@pytest.mark.parametrize(
    ("rounds", "seed"), [(2, 7), pytest.param(30, 8, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_a_controller_that_is_killed_takes_nothing_with_it(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path, rounds: int, seed: int
) -> None:
    project = DevProject(
        tmp_path / "project", seaweedfs, prefix=f"chaos-{uuid.uuid4().hex[:8]}", steps=rounds * 30, step_seconds=0.02
    )
    one = Chaos(project, seed)
    chaos.append(one)
    for _ in range(rounds):
        one.start_and_run_a_while()
        one.kill_controller()
    assert one.result_and_losses()[1] == []


def test_the_harness_sees_a_loss_when_the_upload_is_not_waited_for(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    """Litestream is frozen, as by a slow network: only a wait for the upload keeps the workflow from going on."""
    found = frozen_upload_run(chaos, seaweedfs, tmp_path, "upload")
    assert found


def test_a_frozen_upload_loses_nothing(chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    assert frozen_upload_run(chaos, seaweedfs, tmp_path, None) == []


def frozen_upload_run(chaos: list[Chaos], seaweedfs: SeaweedFS, folder: Path, sabotage: str | None) -> list[Loss]:
    project = DevProject(
        folder / "project", seaweedfs, prefix=f"chaos-{uuid.uuid4().hex[:8]}", steps=60, sabotage=sabotage
    )
    one = Chaos(project, seed=5)
    chaos.append(one)
    one.start_and_run_a_while()
    for pid, command in project.processes().items():
        if "litestream replicate" in command:
            os.kill(pid, signal.SIGSTOP)
    time.sleep(0.5)
    one.kill()
    project.mend()
    return one.result_and_losses()[1]


def split_brain_run(
    chaos: list[Chaos], seaweedfs: SeaweedFS, folder: Path, rounds: int, sabotage: str | None
) -> list[Loss]:
    """In each round the pod freezes, another one takes over and works, and then the old one wakes."""
    project = DevProject(
        folder / "project",
        seaweedfs,
        prefix=f"chaos-{uuid.uuid4().hex[:8]}",
        steps=rounds * 40,
        step_seconds=0.02,
        sabotage=sabotage,
    )
    one = Chaos(project, seed=6)
    chaos.append(one)
    for _ in range(rounds):
        one.start_and_run_a_while()
        one.strand()
        one.start_and_run_a_while()
        one.resume_zombies()
        time.sleep(1.0)
        one.stranded[-1].kill_everything()
        one.kill()
    return one.result_and_losses()[1]


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_of_a_zombie_nothing_is_ever_read(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path, rounds: int
) -> None:
    assert split_brain_run(chaos, seaweedfs, tmp_path, rounds, None) == []


def test_the_harness_sees_a_loss_when_current_is_not_read_again(
    chaos: list[Chaos], seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    assert split_brain_run(chaos, seaweedfs, tmp_path, 1, "ownership")
