"""What do tests of the local kubelet need? Pods of our shape whose containers are small scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dormouse_operator.dev.container import Surroundings
from dormouse_operator.dev.kubelet import Kubelet
from dormouse_operator.dev.manifests import Key
from dormouse_operator.dev.state import State

OWNER = "11111111-2222-3333-4444-555555555555"

SERVES_READYZ = """
import http.server, os, signal, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["DORMOUSE_PORT"])), Answers)
def end(number, frame):
    print("TERM", flush=True)
    open(os.environ["DORMOUSE_TERMINATION_LOG"], "w").write('{"reason": "Stopped"}')
    open(os.environ["DORMOUSE_DIRECTORY"] + "/order", "a").write(os.environ["ROLE"] + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
server.serve_forever()
"""


def container(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a Python script."""
    return {
        "name": name,
        "image": "ignored",
        "command": ["python", "-c", script],
        "env": [
            {"name": "ROLE", "value": name},
            {"name": "DORMOUSE_DIRECTORY", "value": "/var/lib/dormouse"},
            {"name": "DORMOUSE_TERMINATION_LOG", "value": "/dev/termination-log"},
        ],
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/dormouse"}],
        **more,
    }


def pod(main: dict[str, Any], sidecar: dict[str, Any] | None = None, name: str = "sleeper-e1") -> dict[str, Any]:
    """A pod as a plan makes them."""
    keeper = [] if sidecar is None else [{**sidecar, "restartPolicy": "Always"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"dormouse.dev/name": "sleeper", "dormouse.dev/epoch": "1"},
            "ownerReferences": [{"uid": OWNER, "controller": True}],
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": 20,
            "initContainers": keeper,
            "containers": [main],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }


class Node:
    """A kubelet whose changes can be waited for."""

    def __init__(self, folder: Path, state: State | None = None) -> None:
        self.folder = folder
        self.state = state if state is not None else State()
        self.around = Surroundings(secrets={}, config_maps={}, modules=folder)
        self._changed = asyncio.Event()
        self.kubelet = Kubelet(folder, self.state, lambda _: self.around, self._note)

    def _note(self, _: Key) -> None:
        self._changed.set()

    def pod(self) -> dict[str, Any]:
        """The only pod."""
        (record,) = self.state.pods.values()
        return record.manifest

    def main(self) -> dict[str, Any]:
        """The status of the only pod's main container."""
        status: dict[str, Any] = self.pod()["status"]["containerStatuses"][0]
        return status

    def sidecar(self) -> dict[str, Any]:
        """The status of the only pod's sidecar."""
        status: dict[str, Any] = self.pod()["status"]["initContainerStatuses"][0]
        return status

    def data(self) -> Path:
        """The only pod's emptyDir."""
        return self.kubelet.folder_of("default", self.pod()["metadata"]["name"]).volume("data")

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for changes until this holds."""
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


def is_ready(manifest: dict[str, Any]) -> bool:
    """Whether the pod's Ready condition is true."""
    conditions = {each["type"]: each["status"] for each in manifest["status"]["conditions"]}
    return bool(conditions["Ready"] == "True")
