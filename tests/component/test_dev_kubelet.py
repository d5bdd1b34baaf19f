"""Does the local kubelet treat pods of our shape as a real one would?"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from dev_pods import OWNER, SERVES_READYZ, Node, container, is_ready, pod

from dormouse_operator.dev.manifests import Key
from dormouse_operator.dev.state import State

PROBE: dict[str, Any] = {"readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1}}
SLEEPS = "import time\nwhile True: time.sleep(60)"


def answering_pod() -> dict[str, Any]:
    return pod(container("runtime", SERVES_READYZ, **PROBE), container("keeper", SERVES_READYZ, **PROBE))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_pod_is_ready_when_both_containers_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(answering_pod())
        assert node.pod()["status"]["phase"] == "Pending"
        assert not is_ready(node.pod())
        await node.until(lambda: is_ready(node.pod()))
        assert node.pod()["status"]["phase"] == "Running"
        assert node.main()["ready"] is True
        assert "running" in node.sidecar()["state"]
        (record,) = node.state.pods.values()
        assert set(record.processes) == {"runtime", "keeper"}
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(scenario())


def test_a_deletion_ends_the_main_first_and_then_the_sidecar(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(answering_pod())
        await node.until(lambda: is_ready(node.pod()))
        manifest, order = node.pod(), node.data() / "order"
        orders: list[str] = []
        uid = manifest["metadata"]["uid"]
        node.kubelet.delete("default", "sleeper-e1", "another-uid")
        assert "deletionTimestamp" not in manifest["metadata"]
        node.kubelet.delete("default", "sleeper-e1", uid)
        assert "deletionTimestamp" in manifest["metadata"]
        await node.until(lambda: "terminated" in manifest["status"]["initContainerStatuses"][0]["state"])
        orders = order.read_text().split() if order.exists() else []
        await node.kubelet.all_ended()
        assert orders == ["runtime", "keeper"]
        assert node.state.pods == {}
        assert manifest["status"]["phase"] == "Succeeded"
        assert manifest["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == '{"reason": "Stopped"}'
        assert not (tmp_path / "pods" / "default.sleeper-e1").exists()
        assert (tmp_path / "logs" / "default.sleeper-e1" / "runtime.log").read_text() == "TERM\n"

    asyncio.run(scenario())


def test_a_pod_that_has_just_ended_by_itself_stays_when_all_are_asked_to_end(tmp_path: Path) -> None:
    class Leaving(Node):
        def _note(self, key: Key) -> None:
            super()._note(key)
            if self.pod()["status"]["phase"] == "Succeeded":
                self.kubelet.end_all()

    async def scenario() -> None:
        node = Leaving(tmp_path)
        node.kubelet.create(pod(container("runtime", "pass")))
        await node.until(lambda: bool(node.pod()["status"]["phase"] == "Succeeded"))
        await node.kubelet.all_ended()
        assert "deletionTimestamp" not in node.pod()["metadata"]
        assert node.main()["state"]["terminated"]["exitCode"] == 0

    asyncio.run(scenario())


def test_a_container_that_ignores_term_is_killed_after_the_grace(tmp_path: Path) -> None:
    ignores = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n" + SLEEPS

    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", ignores)))
        await node.until(lambda: "running" in node.main()["state"])
        manifest = node.pod()
        log = node.kubelet.folder_of("default", "sleeper-e1").log("runtime")
        while log.read_text() != "up\n":
            await asyncio.sleep(0.01)
        node.kubelet.delete("default", "sleeper-e1", manifest["metadata"]["uid"], grace_seconds=600)
        node.kubelet.delete("default", "sleeper-e1", manifest["metadata"]["uid"], grace_seconds=0.1)
        await node.kubelet.all_ended()
        assert manifest["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137

    asyncio.run(scenario())


def test_a_failing_main_is_started_again_and_its_last_words_are_kept(tmp_path: Path) -> None:
    fails_once = (
        "import os, sys\n"
        "first = os.environ['DORMOUSE_DIRECTORY'] + '/first'\n"
        "if not os.path.exists(first):\n"
        "    open(first, 'w').close()\n"
        "    open(os.environ['DORMOUSE_TERMINATION_LOG'], 'w').write('no luck')\n"
        "    sys.exit(3)\n"
    ) + SLEEPS

    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", fails_once)))
        await node.until(lambda: node.main()["restartCount"] == 1)
        last = node.main()["lastState"]["terminated"]
        assert (last["exitCode"], last["message"], last["reason"]) == (3, "no luck", "Error")
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(scenario())


def test_a_main_that_completes_ends_the_pod_and_its_sidecar(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", "pass"), container("keeper", SERVES_READYZ)))
        await node.kubelet.all_ended()
        assert node.pod()["status"]["phase"] == "Succeeded"
        assert node.main()["state"]["terminated"]["reason"] == "Completed"
        assert node.main()["restartCount"] == 0
        node.kubelet.delete("default", "sleeper-e1", node.pod()["metadata"]["uid"])
        assert node.state.pods == {}

    asyncio.run(scenario())


def test_what_a_container_started_ends_with_it(tmp_path: Path) -> None:
    leaves_a_child = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(os.environ['DORMOUSE_DIRECTORY'] + '/child', 'w').write(str(child.pid))\n"
    )

    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", leaves_a_child)))
        await node.kubelet.all_ended()
        child = int((node.data() / "child").read_text())
        async with asyncio.timeout(60):
            while is_running(child):
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_missing_secret_is_named_and_waited_for(tmp_path: Path) -> None:
    wants = container("runtime", SLEEPS)
    wants["env"].append(
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "model", "key": "token"}}},
    )

    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(wants))
        await node.until(lambda: "message" in node.main()["state"].get("waiting", {}))
        waiting = node.main()["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerConfigError"
        assert "Secret 'model' with the key 'token'" in waiting["message"]
        secrets = {("default", "model"): {"token": b"s3cret"}}
        node.around = type(node.around)(secrets=secrets, config_maps={}, modules=tmp_path)
        await node.until(lambda: "running" in node.main()["state"])
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(scenario())


def test_a_recorded_pod_with_its_folder_is_run_again_in_place(tmp_path: Path) -> None:
    async def first() -> State:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", SLEEPS), container("keeper", SLEEPS)))
        await node.until(lambda: "running" in node.main()["state"])
        (node.data() / "kept").write_text("kept")
        (record,) = node.state.pods.values()
        for pid in record.processes.values():
            os.killpg(pid, signal.SIGSTOP)  # as if this process were killed now: nothing is noted any more
        recorded = State(
            pods={key: type(record)(dict(each.manifest), each.ports) for key, each in node.state.pods.items()}
        )
        node.kubelet.kill_all()
        await node.kubelet.all_ended()
        return recorded

    async def second(state: State) -> None:
        node = Node(tmp_path, state)
        uid, ports = node.pod()["metadata"]["uid"], next(iter(state.pods.values())).ports
        assert node.kubelet.resume("another-owner") == []
        assert not node.kubelet.is_busy
        assert node.kubelet.resume(OWNER) == []
        await node.until(lambda: "running" in node.main()["state"] and "running" in node.sidecar()["state"])
        assert node.pod()["metadata"]["uid"] == uid
        assert node.main()["restartCount"] == 1
        assert node.main()["lastState"]["terminated"]["exitCode"] == 137
        assert next(iter(state.pods.values())).ports == ports
        assert (node.data() / "kept").read_text() == "kept"
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(second(asyncio.run(first())))


def test_a_recorded_pod_without_its_folder_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", SLEEPS)))
        await node.until(lambda: "running" in node.main()["state"])
        node.kubelet.kill_all()
        await node.kubelet.all_ended()
        folder = node.kubelet.folder_of("default", "sleeper-e1").path
        folder.rename(tmp_path / "elsewhere")
        again = Node(tmp_path, node.state)
        assert again.kubelet.resume(OWNER) == ["sleeper-e1"]
        assert again.kubelet.pods_of(OWNER) == ()

    asyncio.run(scenario())


def test_a_new_pod_starts_with_an_empty_volume(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        stale = node.kubelet.folder_of("default", "sleeper-e1").volume("data") / "stale"
        stale.parent.mkdir(parents=True)
        stale.write_text("of a pod that nobody knows any more")
        node.kubelet.create(pod(container("runtime", SLEEPS)))
        await node.until(lambda: "running" in node.main()["state"])
        assert list(node.data().iterdir()) == []
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(scenario())


def test_the_same_name_is_not_created_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        node = Node(tmp_path)
        node.kubelet.create(pod(container("runtime", SLEEPS)))
        uid = node.pod()["metadata"]["uid"]
        node.kubelet.create(pod(container("runtime", SLEEPS)))
        assert node.pod()["metadata"]["uid"] == uid
        node.kubelet.kill_all()
        await node.kubelet.all_ended()

    asyncio.run(scenario())
