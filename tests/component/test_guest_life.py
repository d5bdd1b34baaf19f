"""What does `dormouse exec` do from its start to its end? The real process, a keeper that does what the test says."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from runtime_pod import EPOCH, POD_UID, RuntimePod

from dormouse.pod import Marker, boot_id, write_marker

GUEST = """
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def note(what):
    with (HERE / "notes").open("a") as notes:
        print(what, file=notes)


def wait_for(name):
    while not (HERE / name).exists():
        time.sleep(0.01)


def stubborn():
    signal.signal(signal.SIGTERM, lambda number, _: note("SIGTERM"))


def polite():
    def end(number, _):
        note("SIGTERM")
        sys.exit(5)

    signal.signal(signal.SIGTERM, end)


def telling():
    signal.signal(signal.SIGUSR1, lambda number, _: (note("SIGUSR1"), (HERE / "go").touch()))


def leaving_a_child():
    note(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)


note("began")
(HERE / "environment").write_text(json.dumps(dict(os.environ)))
if len(sys.argv) > 2:
    globals()[sys.argv[2]]()
(HERE / "running").touch()
wait_for("go")
sys.exit(int(sys.argv[1]))
"""


def live(
    folder: Path,
    scenario: Callable[[RuntimePod], Awaitable[None]],
    *arguments: str,
    command: tuple[str, ...] = (sys.executable, "user.py"),
    **environment: str,
) -> None:
    async def run() -> None:
        pod = RuntimePod(folder, GUEST, **environment)
        words = [str(pod.source / "user.py") if word == "user.py" else word for word in command]
        pod.runs = ("-m", "dormouse.guest", *words, *arguments)
        async with pod:
            await scenario(pod)

    asyncio.run(run())


def notes(pod: RuntimePod) -> list[str]:
    file = pod.source / "notes"
    return file.read_text().split() if file.exists() else []


async def started(pod: RuntimePod) -> None:
    async def runs() -> bool:
        return (pod.source / "running").exists()

    await pod.start()
    await pod.until(runs)


def let_go(pod: RuntimePod) -> None:
    (pod.source / "go").touch()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def ends(pod: RuntimePod, pid: int) -> None:
    async def ended() -> bool:
        return not is_running(pid)

    await pod.until(ended)


def test_a_command_that_says_that_all_is_done_is_sealed_as_completed(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        let_go(pod)
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"], farewell["position"]) == (0, "Completed", f"{EPOCH}/99")
        assert pod.keeper.seals == ["Completed"]

    live(tmp_path, scenario, "0")


def test_a_command_that_fails_is_not_sealed_and_its_exit_code_is_the_containers(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        let_go(pod)
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (3, "GuestFailed")
        assert farewell["message"] == f"{sys.executable} ended with exit code 3"
        assert pod.keeper.seals == []

    live(tmp_path, scenario, "3")


def test_told_to_stop_it_ends_the_command_first_and_seals_then(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (5, "Stopped")
        assert notes(pod) == ["began", "SIGTERM"]
        assert pod.keeper.seals == ["Stopped"]

    live(tmp_path, scenario, "0", "polite")


def test_a_command_that_does_not_end_when_told_is_killed_after_half_of_the_grace_and_sealed(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (128 + signal.SIGKILL, "Stopped")
        assert notes(pod) == ["began", "SIGTERM"]
        assert pod.keeper.seals == ["Stopped"]

    live(tmp_path, scenario, "0", "stubborn", DORMOUSE_GRACE_SECONDS="8")


def test_signals_are_passed_on(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        assert pod.process is not None
        pod.process.send_signal(signal.SIGUSR1)
        assert (await pod.ended())[0] == 0
        assert notes(pod) == ["began", "SIGUSR1"]

    live(tmp_path, scenario, "0", "telling")


def test_what_the_command_started_ends_with_it(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        child = int(notes(pod)[1])
        assert is_running(child)
        let_go(pod)
        assert (await pod.ended())[0] == 0
        await ends(pod, child)

    live(tmp_path, scenario, "0", "leaving_a_child")


def test_a_command_dies_with_its_guard(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        assert pod.process is not None
        here = pod.process.pid
        (guarded,) = Path(f"/proc/{here}/task/{here}/children").read_text().split()
        await pod.kill()
        await ends(pod, int(guarded))

    live(tmp_path, scenario, "0")


def test_nothing_runs_before_the_gate_is_open(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.gate.clear()
        await pod.start()

        async def waits() -> bool:
            return "gate" in pod.keeper.asked

        await pod.until(waits)
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (0, "Stopped")
        assert notes(pod) == []

    live(tmp_path, scenario, "0")


def test_nothing_runs_before_ownership_is_proven(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.owns = False
        await pod.start()

        async def asks_again() -> bool:
            return pod.keeper.asked.count("ownership") >= 2

        await pod.until(asks_again)
        assert notes(pod) == []
        pod.keeper.owns = True
        let_go(pod)
        assert (await pod.ended())[0] == 0
        assert notes(pod) == ["began"]

    live(tmp_path, scenario, "0")


def test_nothing_runs_on_a_volume_of_another_pod(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        write_marker(pod.folder / "marker.json", Marker(POD_UID, EPOCH - 1, boot_id()))
        await pod.start()
        code, farewell = await pod.ended()
        assert code == 1
        assert "the volume's marker is" in farewell["message"]
        assert notes(pod) == []

    live(tmp_path, scenario, "0")


def test_a_command_that_is_fenced_ends_and_nothing_is_sealed(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.keeper.fence()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "Fenced")
        assert notes(pod) == ["began", "SIGTERM"]
        assert pod.keeper.seals == []

    live(tmp_path, scenario, "0", "polite")


def test_a_command_whose_keeper_is_gone_ends_also_when_it_does_not_want_to(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.keeper.vanish()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "KeeperGone")
        assert notes(pod) == ["began", "SIGTERM"]

    live(tmp_path, scenario, "0", "stubborn", DORMOUSE_FENCE_SECONDS="8")


@pytest.mark.parametrize("trouble", ["the store is cut off", "the keeper is frozen"])
def test_a_command_whose_ownership_nobody_proves_any_more_ends(tmp_path: Path, trouble: str) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.keeper.owns = False
        if trouble == "the keeper is frozen":
            pod.keeper.freeze()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "OwnershipUnproven")
        assert "nobody could prove that this pod still owns its epoch" in farewell["message"]
        assert "SIGTERM" in notes(pod)
        assert pod.keeper.seals == []

    live(tmp_path, scenario, "0", "polite", DORMOUSE_FENCE_SECONDS="4")


def test_a_command_that_is_ending_when_ownership_is_lost_is_not_sealed(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await started(pod)
        pod.terminate()

        async def is_told() -> bool:
            return "SIGTERM" in notes(pod)

        await pod.until(is_told)
        pod.keeper.fence()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "Fenced")
        assert pod.keeper.seals == []

    live(tmp_path, scenario, "0", "stubborn", DORMOUSE_FENCE_SECONDS="4")


def test_a_command_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (127, "EntrypointFailed")
        assert farewell["message"] == "cannot run 'no-such-program': No such file or directory; check spec.exec.command"

    live(tmp_path, scenario, command=("no-such-program",))


def test_without_a_command_nothing_begins(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "InvalidSettings")
        assert "spec.exec.command" in farewell["message"]

    live(tmp_path, scenario, command=())


def test_the_command_is_given_what_the_page_promises(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        let_go(pod)
        await pod.start(OF_MY_OWN="yes")
        assert (await pod.ended())[0] == 0
        given = json.loads((pod.source / "environment").read_text())
        assert given["DORMOUSE_DATABASE"] == str(pod.database)
        assert given["DORMOUSE_IDENTITY"] == "identity-1"
        assert given["DORMOUSE_EPOCH"] == str(EPOCH)
        assert given["DORMOUSE_RESTORED_FROM"] == ""
        assert given["OF_MY_OWN"] == "yes"
        assert "DORMOUSE_PORT" not in given

    live(tmp_path, scenario, "0")


def test_the_socket_can_be_reached_however_deep_the_volume_is(tmp_path: Path) -> None:
    reach = "import os, socket; socket.socket(socket.AF_UNIX).connect(os.environ['DORMOUSE_KEEPER_SOCKET'])"
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()

    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        assert (await pod.ended())[0] == 0, pod.output.read_text()

    live(deep, scenario, command=(sys.executable, "-c", reach))


def test_it_is_ready_while_the_command_runs(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.gate.clear()
        await pod.start()
        await pod.until(pod.is_healthy)
        assert (await pod.get("/readyz"))[0] == 503
        pod.keeper.gate.set()
        await pod.ready()
        assert (await pod.get("/nothing"))[0] == 404
        let_go(pod)
        assert (await pod.ended())[0] == 0

    live(tmp_path, scenario, "0")


def test_the_verb_runs_the_same(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.runs = (str(Path(sys.executable).with_name("dormouse")), "exec", "--", "sh", "-c", "exit 7")
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["message"]) == (7, "sh ended with exit code 7")

    live(tmp_path, scenario)
