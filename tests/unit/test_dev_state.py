"""Does what an API server would hold outlive the process, and never twice at once?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dormouse_operator.api import DurableWorkflow, DurableWorkflowStatus, parse
from dormouse_operator.dev.state import PodRecord, State, StateError, StateFile, applied, locked

NOW = "2026-01-01T00:00:00Z"


def workflow(image: str = "sleeper") -> DurableWorkflow:
    document = {
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "DurableWorkflow",
        "metadata": {"name": "sleeper"},
        "spec": {
            "image": image,
            "storage": {"storeRef": {"name": "local"}},
            "start": {"workflow": "sleep", "input": {"seconds": 1}},
        },
    }
    parsed = parse(document)
    assert isinstance(parsed, DurableWorkflow)
    return parsed


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    file = StateFile.read(tmp_path / "state.json")
    status = DurableWorkflowStatus(epoch=3, claimed=True)
    file.state.workflows["default/sleeper"] = msgspec.structs.replace(applied(None, workflow(), NOW), status=status)
    file.state.pods["default/sleeper-e3"] = PodRecord({"kind": "Pod"}, {"runtime": 8080}, {"runtime": 1})
    file.state.store_port = 9000
    file.save()
    assert StateFile.read(tmp_path / "state.json").state == file.state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_port_that_is_given_to_a_workflow_is_that_of_no_other_one() -> None:
    state = State()
    state.give_port("default/shop", 8105)
    state.give_port("default/bank", 8106)
    assert state.usual_port("default/shop", before=8105) == 8105
    state.give_port("default/copy", 8105)
    assert state.usual_port("default/copy", before=0) == 8105
    assert state.usual_port("default/shop", before=8105) == 0, "its pod had it, and may not have it again"
    assert state.usual_port("default/shop", before=8107) == 8107
    assert state.usual_port("default/bank", before=0) == 8106


def test_a_new_object_gets_a_uid_and_keeps_it() -> None:
    first = applied(None, workflow(), NOW)
    assert first.metadata.uid
    assert first.metadata.generation == 1
    again = applied(first, workflow(), "2027-01-01T00:00:00Z")
    assert again == first
    assert applied(None, workflow(), NOW).metadata.uid != first.metadata.uid


def test_a_new_spec_is_a_new_generation_with_the_old_status() -> None:
    first = msgspec.structs.replace(applied(None, workflow(), NOW), status=DurableWorkflowStatus(epoch=7))
    second = applied(first, workflow("another"), NOW)
    assert second.metadata.generation == 2
    assert second.metadata.uid == first.metadata.uid
    assert second.status.epoch == 7


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": "x"}', b'{"format": 99}'])
def test_a_state_that_cannot_be_read_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"state\.json"):
        StateFile.read(path)
    assert path.read_bytes() == content


def test_a_folder_is_locked_by_one_process_until_that_ends(tmp_path: Path) -> None:
    holds = (
        "import sys, pathlib\n"
        "from dormouse_operator.dev.state import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    folder = tmp_path / ".dormouse"
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {other.pid}.*end it first"), locked(folder):
            pass
        other.kill()
    with locked(folder):
        pass
