"""How does a whole pod live and end here? Sidecar and main side by side; at the end the main goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from dormouse_operator.dev.container import (
    ContainerProcess,
    PodFolder,
    Surroundings,
    mains,
    process_of,
    sidecars,
)
from dormouse_operator.dev.pod_status import (
    ContainerState,
    Terminated,
    pod_status,
    terminated,
    timestamp,
)
from dormouse_operator.dev.running_container import RunningContainer
from dormouse_operator.dev.volumes import make_volumes

_LEAST_SIDECAR_GRACE_SECONDS = 2.0
_UNKNOWN_EXIT = 137


class RunningPod:
    """One pod. Its manifest's status is kept current; `changed` is called after each change."""

    def __init__(
        self,
        manifest: dict[str, Any],
        folder: PodFolder,
        ports: Mapping[str, int],
        around: Callable[[], Surroundings],
        changed: Callable[[], None],
    ) -> None:
        """Nothing runs before `run`. A manifest that has a status already is run again in place."""
        self.manifest = manifest
        self._folder = folder
        self._ports = ports
        self._around = around
        self._changed = changed
        self._has_volumes = False
        self._deadline: float | None = None
        self._killing: asyncio.TimerHandle | None = None
        before = _earlier_states(manifest.get("status") or {})
        self._sidecars = [self._container(each, before, is_sidecar=True) for each in sidecars(manifest)]
        self._mains = [self._container(each, before, is_sidecar=False) for each in mains(manifest)]
        self._update()

    @property
    def processes(self) -> dict[str, int]:
        """The process ids of the containers that run now."""
        return {each.state.name: each.pid for each in self._all if each.pid is not None}

    async def run(self) -> None:
        """Returns once every container is over."""
        # Tasks start in the order in which they are made: the sidecar's process is the first.
        ends = [asyncio.create_task(each.run()) for each in self._all]
        sidecar_ends, main_ends = ends[: len(self._sidecars)], ends[len(self._sidecars) :]
        await asyncio.gather(*main_ends)
        now = asyncio.get_running_loop().time()
        deadline = now + self._grace_seconds if self._deadline is None else self._deadline
        for sidecar in self._sidecars:
            sidecar.terminate()
        self._kill_at(max(deadline, now + _LEAST_SIDECAR_GRACE_SECONDS), self._sidecars)
        await asyncio.gather(*sidecar_ends)
        if self._killing is not None:
            self._killing.cancel()

    def end(self, grace_seconds: float | None) -> None:
        """Ask it to end, as a deletion does: SIGTERM first, SIGKILL after the grace; again only to shorten it."""
        grace = self._grace_seconds if grace_seconds is None else grace_seconds
        deadline = asyncio.get_running_loop().time() + grace
        if self._deadline is not None and deadline >= self._deadline:
            return
        if self._deadline is None:
            self.manifest["metadata"]["deletionTimestamp"] = timestamp()
            self.manifest["metadata"]["deletionGracePeriodSeconds"] = grace
        self._deadline = deadline
        for main in self._mains:
            main.terminate()
        mains_run = not all(main.state.is_over for main in self._mains)
        self._kill_at(deadline, self._mains if mains_run else self._sidecars)
        self._changed()

    def kill(self) -> None:
        """SIGKILL for everything, now."""
        for each in self._all:
            each.kill()

    @property
    def _all(self) -> list[RunningContainer]:
        return [*self._sidecars, *self._mains]

    @property
    def _grace_seconds(self) -> float:
        return float(self.manifest["spec"].get("terminationGracePeriodSeconds", 30))

    def _kill_at(self, deadline: float, containers: list[RunningContainer]) -> None:
        if self._killing is not None:
            self._killing.cancel()

        def kill() -> None:
            for each in containers:
                each.kill()

        self._killing = asyncio.get_running_loop().call_at(deadline, kill)

    def _container(
        self, container: dict[str, Any], before: Mapping[str, ContainerState], *, is_sidecar: bool
    ) -> RunningContainer:
        def prepare() -> ContainerProcess:
            around = self._around()
            if not self._has_volumes:
                make_volumes(self.manifest, self._folder, around)
                self._has_volumes = True
            return process_of(self.manifest, container, self._folder, self._ports, around)

        name, image = container["name"], container.get("image", "")
        state = before.get(name) or ContainerState(name, image, is_sidecar=is_sidecar)
        return RunningContainer(state, prepare, self._update)

    def _update(self) -> None:
        states = [each.state for each in self._all]
        self.manifest["status"] = pod_status(states, self.manifest.get("status") or {}, timestamp())
        self._changed()


def _earlier_states(status: Mapping[str, Any]) -> dict[str, ContainerState]:
    """The containers of a pod whose machine went down."""
    sidecar_states = [_earlier(told, is_sidecar=True) for told in status.get("initContainerStatuses", ())]
    main_states = [_earlier(told, is_sidecar=False) for told in status.get("containerStatuses", ())]
    return {state.name: state for state in (*sidecar_states, *main_states)}


def _earlier(told: Mapping[str, Any], *, is_sidecar: bool) -> ContainerState:
    """What ran is run again; a main that had come to a good end stays over."""
    state = ContainerState(
        told["name"],
        told["image"],
        is_sidecar,
        last=terminated(told["lastState"]),
        restarts=told["restartCount"],
    )
    end = terminated(told["state"])
    if end is not None and end.exit_code == 0 and not is_sidecar:
        return replace(state, now=end)
    if "running" in told["state"]:
        since = told["state"]["running"]["startedAt"]
        end = Terminated(_UNKNOWN_EXIT, since, timestamp(), reason="Unknown")
    last = end or state.last
    if last is not None:
        # What it said then is no verdict on the try that comes now.
        last = replace(last, message="", reason="Unknown")
    return replace(state, last=last)
