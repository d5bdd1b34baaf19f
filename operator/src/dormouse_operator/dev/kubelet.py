"""Which pods does this machine run? What a kubelet and the API server's pod store are to the operator."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dormouse_operator.dev.container import PodFolder, Surroundings, mains, sidecars
from dormouse_operator.dev.manifests import Key
from dormouse_operator.dev.pod_status import NODE, timestamp
from dormouse_operator.dev.ports import free_ports, is_free
from dormouse_operator.dev.running_pod import RunningPod
from dormouse_operator.dev.state import PodRecord, State
from dormouse_operator.plan import NAME_LABEL, RUNTIME_CONTAINER

_KEPT_LOGS = 20
_ENDED = ("Succeeded", "Failed")


class Kubelet:
    """Runs pods below `folder`, and keeps their records in `state.pods`."""

    def __init__(
        self,
        folder: Path,
        state: State,
        around: Callable[[Key], Surroundings],
        changed: Callable[[Key], None],
    ) -> None:
        """`around` and `changed` are called with the namespace and name of the workflow that a pod is for."""
        self._folder = folder.absolute()
        self._state = state
        self._around = around
        self._changed = changed
        self._running: dict[str, RunningPod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def pods_of(self, owner_uid: str) -> tuple[Mapping[str, Any], ...]:
        """The pods, with status, that this object owns."""
        return tuple(record.manifest for record in self._state.pods.values() if _is_owned(record.manifest, owner_uid))

    def ports_of(self, owner_uid: str) -> Mapping[str, int]:
        """Container to port, of the newest pod that this object owns."""
        newest: Mapping[str, int] = {}
        for record in self._state.pods.values():
            if _is_owned(record.manifest, owner_uid):
                newest = record.ports
        return newest

    @property
    def is_busy(self) -> bool:
        """Whether any pod runs."""
        return bool(self._running)

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Run a new pod; quietly nothing when one of this name exists."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        key = f"{namespace}/{name}"
        if key in self._state.pods:
            return
        born = {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        pod: dict[str, Any] = {
            **manifest,
            "metadata": {**manifest["metadata"], **born},
            "spec": {**manifest["spec"], "nodeName": NODE},
        }
        folder = self.folder_of(namespace, name)
        if folder.path.exists():  # of a pod that this state no longer knows: an emptyDir starts empty
            shutil.rmtree(folder.path)
        folder.path.mkdir(parents=True)
        record = PodRecord(pod, ports=self._ports_for(pod, {}))
        self._state.pods[key] = record
        self._run(key, record)

    def resume(self, owner_uid: str) -> list[str]:
        """Go on with the recorded pods of a workflow; says which ones are lost.

        A pod whose folder is there is run again in place, as after a restart of its node: its keeper decides by
        its marker. A pod whose folder is gone went with its node.
        """
        lost = []
        for key, record in list(self._state.pods.items()):
            if not _is_owned(record.manifest, owner_uid):
                continue
            metadata = record.manifest["metadata"]
            if not self.folder_of(metadata["namespace"], metadata["name"]).path.is_dir():
                lost.append(metadata["name"])
                del self._state.pods[key]
            elif metadata.get("deletionTimestamp"):
                self._remove(key)
            elif record.manifest["status"]["phase"] in ("Pending", "Running"):
                record.processes = {}
                record.ports = self._ports_for(record.manifest, record.ports)
                self._run(key, record)
        return lost

    def delete(self, namespace: str, name: str, uid: str, grace_seconds: float | None = None) -> None:
        """End a pod and forget it; nothing when it is another one by now."""
        key = f"{namespace}/{name}"
        record = self._state.pods.get(key)
        if record is None or record.manifest["metadata"]["uid"] != uid:
            return
        running = self._running.get(key)
        if running is not None:
            running.end(grace_seconds)
        else:
            self._remove(key)

    def end_all(self) -> None:
        """Ask every pod to end well. One that has just ended by itself stays: it has to tell how."""
        for running in list(self._running.values()):
            if running.manifest["status"]["phase"] not in _ENDED:
                running.end(None)

    def kill_all(self) -> None:
        """SIGKILL for every process of every pod."""
        for running in list(self._running.values()):
            running.kill()

    async def all_ended(self) -> None:
        """Wait until no pod runs."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def folder_of(self, namespace: str, name: str) -> PodFolder:
        """Where a pod's files are."""
        return PodFolder(self._folder / "pods" / f"{namespace}.{name}")

    def _run(self, key: str, record: PodRecord) -> None:
        metadata = record.manifest["metadata"]
        owner = (metadata["namespace"], metadata["labels"][NAME_LABEL])

        def changed() -> None:
            if key in self._running:
                record.processes = self._running[key].processes
            self._changed(owner)

        folder = self.folder_of(metadata["namespace"], metadata["name"])
        pod = RunningPod(record.manifest, folder, record.ports, lambda: self._around(owner), changed)
        self._running[key] = pod
        task = asyncio.create_task(self._until_over(key, pod))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_over(self, key: str, pod: RunningPod) -> None:
        await pod.run()
        del self._running[key]
        if pod.manifest["metadata"].get("deletionTimestamp"):
            self._remove(key)

    def _remove(self, key: str) -> None:
        record = self._state.pods.pop(key)
        metadata = record.manifest["metadata"]
        folder = self.folder_of(metadata["namespace"], metadata["name"]).path
        if folder.is_dir():
            self._keep_logs(folder)
            shutil.rmtree(folder)
        self._changed((metadata["namespace"], metadata["labels"][NAME_LABEL]))

    def _keep_logs(self, folder: Path) -> None:
        """A person may want to read how a pod ended after the pod is gone."""
        kept = self._folder / "logs"
        kept.mkdir(exist_ok=True)
        target = kept / folder.name
        if target.exists():
            shutil.rmtree(target)
        if (folder / "logs").is_dir():
            (folder / "logs").rename(target)
        for oldest in sorted(kept.iterdir(), key=lambda each: each.stat().st_mtime)[:-_KEPT_LOGS]:
            shutil.rmtree(oldest)

    def _ports_for(self, pod: Mapping[str, Any], before: Mapping[str, int]) -> dict[str, int]:
        """A port for each container: the one it had, for the runtime its workflow's own, or a free one."""
        metadata = pod["metadata"]
        workflow = f"{metadata['namespace']}/{metadata['labels'][NAME_LABEL]}"
        names = [container["name"] for container in (*sidecars(pod), *mains(pod))]
        wanted = dict(before)
        wanted[RUNTIME_CONTAINER] = self._state.usual_port(workflow, before.get(RUNTIME_CONTAINER, 0))
        ports = {}
        for name, fresh in zip(names, free_ports(len(names)), strict=True):
            usual = wanted.get(name, 0)
            ports[name] = usual if usual and is_free(usual) else fresh
        if RUNTIME_CONTAINER in ports:
            self._state.http_ports[workflow] = ports[RUNTIME_CONTAINER]
        return ports


def _is_owned(pod: Mapping[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", ()))
