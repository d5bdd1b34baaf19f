"""Does `dormouse dev` keep its promises, with the real keeper, runtime, Litestream and S3 server?"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from dev_runs import Dev, Project

from dormouse_operator.dev.ports import free_ports, is_free
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def project(tmp_path: Path, seaweedfs: SeaweedFS) -> Project:
    return Project(tmp_path, seaweedfs)


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_workflow_runs_to_its_end(project: Project) -> None:
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 0, output
    assert project.runs() == list(range(20))
    assert project.status()["phase"] == "Completed"
    assert "counter: epoch 1  Completed" in output
    assert output.count("counter: result: 190\n") == 1
    with Dev(project, "--once") as again:
        code, output = again.ended()
    assert code == 0
    assert output.count("counter: result: 190\n") == 1
    assert re.search("counter: Completed at .*: nothing to do .to run it again choose another metadata.name", output)
    assert output.splitlines()[-1].startswith("counter: epoch 1  Completed")
    assert project.runs() == list(range(20))


def test_killed_and_without_its_volume_it_goes_on_from_the_store(project: Project) -> None:
    with Dev(project) as dev, project.lingering(8):
        dev.kill()
    shutil.rmtree(project.folder / ".dormouse" / "pods" / "default.counter-e1")
    before = project.runs()
    with Dev(project, "--until-complete") as dev:
        dev.until_line("folder of pod counter-e1 is gone")
        code, output = dev.ended()
    assert code == 0, output
    # What was acknowledged, so that its successor could run, did not run again.
    assert project.runs()[len(before)] in (before[-1], before[-1] + 1)
    assert sorted(set(project.runs())) == list(range(20))
    assert project.status()["epoch"] == 2


def test_killed_with_its_volume_it_goes_on_in_place(project: Project) -> None:
    with Dev(project) as dev, project.lingering(8):
        dev.kill()
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 0, output
    assert project.status()["epoch"] == 1
    assert sorted(set(project.runs())) == list(range(20))


def test_ctrl_c_seals_and_the_next_start_goes_on(project: Project) -> None:
    with Dev(project) as dev, project.lingering(5):
        dev.interrupt()
        code, output = dev.ended()
    assert code == 0, output
    assert "drain and seal" in output
    assert not any((project.folder / ".dormouse" / "pods").iterdir())
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 0, output
    assert project.runs() == list(range(20))
    assert project.status()["epoch"] == 2


@pytest.fixture
def hang_ups() -> Iterator[None]:
    """SIGHUP counts, also where the tests run below `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_ups")
def test_a_closed_terminal_is_a_ctrl_c_however_often_it_is_told(project: Project) -> None:
    with Dev(project) as dev, project.lingering(5):
        dev.process.send_signal(signal.SIGHUP)
        dev.until_line("drain and seal")
        dev.process.send_signal(signal.SIGHUP)
        code, output = dev.ended()
    assert code == 0, output
    assert project.status()["phase"] == "Running"
    assert not any((project.folder / ".dormouse" / "pods").iterdir())


def test_edits_are_applied_and_bad_ones_are_shown(project: Project) -> None:
    project.write(start={"workflow": "count", "input": 100_000})
    with Dev(project) as dev:
        dev.until_line("epoch 1  Running")
        project.write(start={"workflow": "count", "input": 7})
        dev.until_line(r"yaml:1: DurableWorkflow counter: spec.start.input cannot be changed: choose another metadata")
        dev.until_line("the last good version stays")
        project.manifest.write_text("{")
        dev.until_line("is not YAML")
        project.write(
            start={"workflow": "count", "input": 100_000},
            template={"metadata": {"labels": {"team": "blue"}}},
        )
        dev.until_line("generation 2")
        dev.until_line("epoch 2  Running")
    assert project.runs().count(0) == 1


def test_the_api_answers_on_the_port_that_was_asked_for(project: Project) -> None:
    (port,) = free_ports(1)
    with Dev(project, "--port", str(port)) as dev:
        dev.until_line(f"epoch 1  Running.*http://127.0.0.1:{port}")
        with urlopen(f"http://127.0.0.1:{port}/v1/executions", timeout=10) as answer:
            assert b"main" in answer.read()


def test_a_module_that_does_not_import_is_told_by_its_last_line(project: Project) -> None:
    (project.folder / "counter.py").write_text("import nothing_of_this_name\n")
    with Dev(project, "--until-complete", "--quiet") as dev:
        code, output = dev.ended()
    assert code == 1
    assert "EntrypointFailed" in output
    assert "No module named 'nothing_of_this_name'" in output


@pytest.mark.parametrize("is_killed", [False, True])
def test_after_a_failed_start_the_mended_code_is_tried(project: Project, is_killed: bool) -> None:
    working = (project.folder / "counter.py").read_text()
    (project.folder / "counter.py").write_text("import nothing_of_this_name\n")
    with Dev(project, *(() if is_killed else ("--until-complete",))) as dev:
        dev.until_line("EntrypointFailed")
        if is_killed:
            dev.kill()
        else:
            assert dev.ended()[0] == 1
    (project.folder / "counter.py").write_text(working)
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 0, output
    assert project.runs() == list(range(20))


def test_what_still_stands_in_the_way_is_told_at_each_start(project: Project) -> None:
    project.write(storage={"storeRef": {"name": "elsewhere"}})
    for _ in range(2):
        with Dev(project, "--until-complete", "--quiet") as dev:
            code, output = dev.ended()
        assert code == 1
        assert "StoreNotFound" in output


def test_a_module_that_is_missing_is_told_with_the_folder_it_was_looked_for_in(project: Project) -> None:
    project.write(entrypoint="ordrs")
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 1
    assert f"there is no module 'ordrs' in {project.folder};" in output


def test_a_blocked_start_execution_is_told_and_an_exit_code(project: Project) -> None:
    project.write(start={"workflow": "count", "input": 100_000})
    with Dev(project) as dev, project.lingering(3):
        dev.interrupt()
        assert dev.ended()[0] == 0
    code_of_user = (project.folder / "counter.py").read_text()
    (project.folder / "counter.py").write_text(code_of_user.replace("step(number)", "step(number + 1)"))
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 1
    assert output.count("counter: Blocked: NonDeterministic: the log says") == 1


def test_wrong_credentials_are_told(project: Project) -> None:
    text = project.manifest.read_text()
    project.manifest.write_text(text.replace(project.server.secret_key if project.server else "", "wrong"))
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 1
    assert "StoreDenied" in output


def test_a_workflow_that_fails_is_an_exit_code(project: Project) -> None:
    code_of_user = (project.folder / "counter.py").read_text()
    (project.folder / "counter.py").write_text(code_of_user.replace("return total", "raise ValueError(total)"))
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 1
    assert output.count("counter: Failed: ValueError: 190\n") == 1
    assert "counter: epoch 1  Failed: ValueError: 190" in output
    assert "Completed" not in output
    with Dev(project, "--until-complete", "--quiet") as dev:
        code, output = dev.ended()
    assert code == 1
    assert re.search("counter: Failed at .*: ValueError: 190", output)
    assert "nothing to do" in output


def test_a_name_that_another_folder_uses_is_refused(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Project(tmp_path_factory.mktemp("other"), project.server)
    other.prefix = project.prefix
    other.write()
    with Dev(project) as dev:
        dev.until_line("epoch 1  Running")
        with Dev(other, "--until-complete") as second:
            code, output = second.ended()
    assert code == 1
    assert "NameTaken" in output


def test_a_second_ctrl_c_kills(project: Project) -> None:
    project.write(start={"workflow": "count", "input": 100_000})
    with Dev(project) as dev:
        dev.until_line("epoch 1  Running")
        dev.interrupt()
        dev.until_line("Ctrl-C again")
        dev.interrupt()
        code, output = dev.ended()
    assert code == 130, output


def test_a_document_that_is_removed_keeps_running(project: Project) -> None:
    project.write(start={"workflow": "count", "input": 100_000})
    kept = project.manifest.read_text()
    with Dev(project) as dev:
        dev.until_line("epoch 1  Running")
        project.manifest.write_text(kept.replace('"counter"', '"another"', 1))
        dev.until_line("counter: is not in the files any more")
        dev.until_line("another: epoch 1  Running")
        steps = len(project.runs())
        project.wait_for_step(steps + 5)


def test_a_missing_store_is_told(project: Project) -> None:
    project.write(storage={"storeRef": {"name": "elsewhere"}})
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 1
    assert "there is no ObjectStore `elsewhere`" in output


def test_taken_ports_are_named_with_their_option(project: Project, seaweedfs: SeaweedFS) -> None:
    with Dev(project, "--port", str(seaweedfs.port)) as dev:
        code, output = dev.ended()
    assert code == 1
    assert f"port {seaweedfs.port} is taken; choose another one with --port" in output


def test_a_second_dev_in_the_folder_is_refused(project: Project) -> None:
    with Dev(project) as first:
        first.until_line("Starting|Running")
        second = Dev(project)
        try:
            code, output = second.ended()
        finally:
            second.process.kill()  # alone: the pods here are those of the first, which would start them again
        assert code == 1
        assert f"another `dormouse dev` (process {first.process.pid})" in output
        assert first.process.poll() is None


def test_a_local_store_that_ends_is_started_again(tmp_path: Path) -> None:
    project = Project(tmp_path, None)
    with Dev(project, "--until-complete") as dev:
        with project.lingering(3):
            pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
            mine = [pid for pid in pids if str(tmp_path).encode() in command_line(pid)]
            (store,) = [pid for pid in mine if b"weed" in command_line(pid)]
            os.kill(store, signal.SIGKILL)
            dev.until_line("the local S3 server ended; it is started again")
        code, output = dev.ended()
    assert code == 0, output
    assert project.runs() == list(range(20))


def test_the_local_store_is_started_and_its_data_outlives_a_kill(tmp_path: Path, seaweedfs: SeaweedFS) -> None:
    project = Project(tmp_path, None)
    with Dev(project, "--store-port", str(seaweedfs.port)) as dev:
        code, output = dev.ended()
    assert code == 1
    assert f"port {seaweedfs.port} is taken; choose another one with --store-port" in output
    (port,) = free_ports(1)
    with Dev(project, "--store-port", str(port)) as dev, project.lingering(5):
        dev.until_line(f"the local S3 server starts at http://127.0.0.1:{port}")
        dev.kill()
    shutil.rmtree(project.folder / ".dormouse" / "pods")
    with Dev(project, "--until-complete") as dev:
        dev.until_line(f"the local S3 server starts at http://127.0.0.1:{port}")
        code, output = dev.ended()
    assert code == 0, output
    assert sorted(set(project.runs())) == list(range(20))
    assert is_free(port)
    with Dev(project, "--until-complete") as dev:
        code, output = dev.ended()
    assert code == 0, output
    assert "choose another metadata.name, or, to start all of its workflows from nothing, remove .dormouse)" in output
    assert "Pending" not in output
