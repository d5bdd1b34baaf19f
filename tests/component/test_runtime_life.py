"""What does a runtime do from its start to its end? The real process, a keeper that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from runtime_pod import EPOCH, POD_UID, RuntimePod

from dormouse.pod import Marker, boot_id, write_marker

MODULE = """
import asyncio
import os
import signal
import time
from pathlib import Path
from dormouse import RetryPolicy, activity, workflow

HERE = Path(__file__).parent

@activity
async def note(name: str) -> str:
    with (HERE / "notes").open("a") as notes:
        notes.write(name + "\\n")
    return name

@activity
async def die_once(name: str) -> str:
    if not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name

@activity
def stuck() -> None:
    (HERE / "stuck").touch()
    time.sleep(600)

@workflow
async def short(name: str) -> str:
    return await note(name)

@workflow
async def dying(name: str) -> list[str]:
    return [await note(name), await die_once("b"), await note("c")]

@workflow
async def failing() -> None:
    raise ValueError("no luck")

@workflow
async def napping(seconds: float) -> None:
    await note("before")
    await asyncio.sleep(seconds)
    await note("after")

@workflow
async def hanging() -> None:
    await stuck()
"""
SHORT = {"DORMOUSE_START_WORKFLOW": "short", "DORMOUSE_START_INPUT": '"a"'}
NAPPING = {"DORMOUSE_START_WORKFLOW": "napping", "DORMOUSE_START_INPUT": "600"}


def live(folder: Path, scenario: Callable[[RuntimePod], Awaitable[None]], module: str = MODULE, **more: str) -> None:
    async def run() -> None:
        async with RuntimePod(folder, module, **more) as pod:
            await scenario(pod)

    asyncio.run(run())


def notes(pod: RuntimePod) -> list[str]:
    file = pod.source / "notes"
    return file.read_text().split() if file.exists() else []


def test_when_all_is_done_it_seals_and_ends(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"], farewell["result"]) == (0, "Completed", "succeeded")
        assert farewell["output"] == '"a"'
        assert farewell["position"] == f"{EPOCH}/99"
        assert pod.keeper.seals == ["Completed"]
        assert notes(pod) == ["a"]

    live(tmp_path, scenario, **SHORT)


def test_a_workflow_that_failed_is_complete_too(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"], farewell["result"]) == (0, "Completed", "failed")
        assert farewell["error"] == "ValueError: no luck"

    live(tmp_path, scenario, DORMOUSE_START_WORKFLOW="failing")


def test_an_outcome_that_is_too_long_for_the_termination_message_is_cut(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        _, farewell = await pod.ended()
        assert farewell["result"] == "failed"
        assert farewell["error"] == "ValueError: ".ljust(1500) + "…"  # without the colours, six bytes each in JSON

    live(tmp_path, scenario, MODULE.replace("no luck", "\\x1b" * 3000), DORMOUSE_START_WORKFLOW="failing")


def test_an_encrypted_life_goes_on_with_its_keys_alone_and_tells_no_value(tmp_path: Path) -> None:
    keys = {"DORMOUSE_ENCRYPTION_KEYS": "one:" + "b29v" * 10 + "b28="}

    async def scenario(pod: RuntimePod) -> None:
        await pod.start(**keys)
        assert (await pod.ended())[0] == -9
        assert b"codeword" not in pod.database.read_bytes()
        await pod.start(DORMOUSE_ENCRYPTION_KEYS="")
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "CannotDecode")
        assert "are encoded, by AES-GCM, key one" in farewell["message"]
        await pod.start(**keys)
        code, farewell = await pod.ended()
        assert (code, farewell["result"], farewell.get("output")) == (0, "succeeded", None)
        assert notes(pod) == ["codeword", "c"]

    live(tmp_path, scenario, DORMOUSE_START_WORKFLOW="dying", DORMOUSE_START_INPUT='"codeword"')


def test_killed_in_an_activity_it_goes_on_and_repeats_only_that_one(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        assert (await pod.ended())[0] == -9
        assert pod.keeper.seals == []
        await pod.start()
        code, farewell = await pod.ended()
        assert (code, farewell["result"]) == (0, "succeeded")
        assert notes(pod) == ["a", "c"]

    live(tmp_path, scenario, DORMOUSE_START_WORKFLOW="dying", DORMOUSE_START_INPUT='"a"')


def test_told_to_stop_it_drains_seals_and_ends(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        await pod.ready()
        await pod.until(lambda: said(pod, "sleeping"))
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (0, "Stopped")
        assert pod.keeper.seals == ["Stopped"]
        assert notes(pod) == ["before"]

    live(tmp_path, scenario, **NAPPING)


async def said(pod: RuntimePod, what: str) -> bool:
    return bool((await pod.get("/status"))[1].get(what) == 1)


def test_a_thread_that_does_not_return_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        async def stuck() -> bool:
            return (pod.source / "stuck").exists()

        await pod.start()
        await pod.until(stuck)
        pod.terminate()
        assert (await pod.ended())[0] == 0

    live(tmp_path, scenario, DORMOUSE_START_WORKFLOW="hanging")


def test_nothing_is_touched_before_the_gate_opens(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.gate.clear()
        before = pod.database.read_bytes()
        await pod.start()
        await pod.until(pod.is_healthy)
        status, answer = await pod.get("/readyz")
        assert (status, answer["error"]["reason"]) == (503, "NotReady")
        assert pod.database.read_bytes() == before
        pod.keeper.gate.set()
        assert (await pod.ended())[0] == 0

    live(tmp_path, scenario, **SHORT)


def test_told_to_stop_before_the_gate_it_just_ends(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.gate.clear()
        await pod.start()

        async def asked() -> bool:
            return bool(pod.keeper.asked)

        await pod.until(asked)
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (0, "Stopped")
        assert pod.keeper.seals == []

    live(tmp_path, scenario, **SHORT)


def test_fenced_it_stops_at_once_without_a_seal(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        await pod.ready()
        pod.keeper.fence()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"], farewell["message"]) == (1, "Fenced", "epoch 4 is current")
        assert pod.keeper.seals == []

    live(tmp_path, scenario, **NAPPING)


def test_a_keeper_that_vanishes_ends_it_and_it_goes_on_when_started_again(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        await pod.ready()
        await pod.until(lambda: said(pod, "sleeping"))
        pod.keeper.vanish()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "KeeperGone")
        await pod.start()
        await pod.ready()
        await pod.until(lambda: said(pod, "sleeping"))
        assert notes(pod) == ["before"]

    live(tmp_path, scenario, **NAPPING)


@pytest.mark.parametrize(
    "marker",
    [
        None,
        Marker("pod-2", EPOCH, boot_id()),
        Marker(POD_UID, EPOCH + 1, boot_id()),
        Marker(POD_UID, EPOCH, "another start of the machine"),
    ],
)
def test_a_volume_that_is_not_its_own_is_not_touched(tmp_path: Path, marker: Marker | None) -> None:
    async def scenario(pod: RuntimePod) -> None:
        before = pod.database.read_bytes()
        (tmp_path / "marker.json").unlink()
        if marker is not None:
            write_marker(tmp_path / "marker.json", marker)
        await pod.start()
        code, farewell = await pod.ended()
        assert code == 1
        assert "the volume's marker" in farewell["message"]
        assert pod.database.read_bytes() == before

    live(tmp_path, scenario, **SHORT)


def test_with_the_store_down_nothing_runs_and_it_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.store.clear()
        await pod.start()
        await pod.until(lambda: wrote_start(pod))
        assert notes(pod) == []
        pod.keeper.store.set()
        assert (await pod.ended())[0] == 0
        assert notes(pod) == ["a"]

    async def wrote_start(pod: RuntimePod) -> bool:
        return pod.keeper.asked.count("barrier") >= 1

    live(tmp_path, scenario, **SHORT)


def test_told_to_stop_with_the_store_down_it_says_what_is_not_safe(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        await pod.ready()
        await pod.until(lambda: said(pod, "sleeping"))
        pod.keeper.store.clear()
        pod.terminate()
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "Stopped")
        assert "the store does not answer" in farewell["message"]

    live(tmp_path, scenario, DORMOUSE_GRACE_SECONDS="1", **NAPPING)


def test_with_async_durability_work_goes_on_while_the_store_is_down(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        pod.keeper.all_in_store = True
        pod.keeper.store.clear()
        await pod.start()

        async def noted() -> bool:
            return notes(pod) == ["a"]

        await pod.until(noted)
        pod.keeper.store.set()
        assert (await pod.ended())[0] == 0

    live(tmp_path, scenario, DORMOUSE_DURABILITY="Async", **SHORT)


def test_main_is_started_only_once(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start()
        await pod.ended()
        await pod.start(DORMOUSE_START_INPUT='"other"')
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (0, "Completed")
        assert notes(pod) == ["a"]

    live(tmp_path, scenario, **SHORT)


@pytest.mark.parametrize(
    ("module", "environment", "reason", "message"),
    [
        ("import nowhere", {}, "EntrypointFailed", "ModuleNotFoundError: No module named 'nowhere' (user.py:1)"),
        ("x = (1,\n", {}, "EntrypointFailed", "SyntaxError: '(' was never closed (user.py:1)"),
        ("raise SystemExit(3)", {}, "EntrypointFailed", "SystemExit: 3 (user.py:1)"),
        (MODULE, {"DORMOUSE_ENTRYPOINT": "missing"}, "EntrypointFailed", "there is no module 'missing'"),
        (MODULE, {"DORMOUSE_START_WORKFLOW": "nap"}, "UnknownWorkflow", "there are: short, dying, failing, napping"),
        (MODULE, {**NAPPING, "DORMOUSE_START_INPUT": '"x"'}, "InvalidInput", "Expected `float`, got `str`"),
        (MODULE, {**NAPPING, "DORMOUSE_START_INPUT": "{"}, "InvalidSettings", "DORMOUSE_START_INPUT is not JSON"),
        (MODULE, {"DORMOUSE_ENCRYPTION_KEYS": "a:b"}, "InvalidSettings", "the key 'a' is not base64"),
        (MODULE, {"DORMOUSE_EPOCH": "three"}, "InvalidSettings", "DORMOUSE_EPOCH must be a whole number"),
        (MODULE, {"DORMOUSE_EPOCH": "4"}, "RuntimeFailed", "the volume's marker"),
    ],
)
def test_what_is_wrong_is_said_in_the_termination_message(
    tmp_path: Path, module: str, environment: dict[str, str], reason: str, message: str
) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.start(**environment)
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, reason)
        assert message in farewell["message"]

    live(tmp_path, scenario, module)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    async def scenario(pod: RuntimePod) -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await pod.start(DORMOUSE_PORT=str(port))
        code, farewell = await pod.ended()
        assert (code, farewell["reason"]) == (1, "InvalidSettings")
        assert f"port {port}" in farewell["message"]
        server.close()

    live(tmp_path, scenario)
