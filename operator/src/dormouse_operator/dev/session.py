"""How does one `dormouse dev` run, from the files to the last pod's end?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.dev.cluster import Cluster
from dormouse_operator.dev.control import Controller
from dormouse_operator.dev.current import read_current
from dormouse_operator.dev.display import Display, Line, line_of, said
from dormouse_operator.dev.http_get import get
from dormouse_operator.dev.kubelet import Kubelet
from dormouse_operator.dev.leftovers import kill_leftovers, tag
from dormouse_operator.dev.local_store import (
    MADE_HERE,
    STORE_ENVIRONMENT,
    needs_local_store,
    with_local_store,
    write_environment,
)
from dormouse_operator.dev.manifests import Key, ManifestError, Manifests, load
from dormouse_operator.dev.outcome import RESULT_PATH, Outcome, answered, is_failed, is_success, left_behind
from dormouse_operator.dev.ports import is_free
from dormouse_operator.dev.processes import end_of
from dormouse_operator.dev.seaweedfs import SeaweedFS, StoreError
from dormouse_operator.dev.state import StateError, StateFile
from dormouse_operator.plan import KEEPER_CONTAINER, RUNTIME_CONTAINER, Current, CurrentUnread, EmitEvent

_FILES_EVERY_SECONDS = 1.0
_LINES_EVERY_SECONDS = 0.5
_STORE_AGAIN_SECONDS = 1.0
_KILLED = 130


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    files: tuple[Path, ...]
    store_port: int | None = None
    port: int | None = None
    until_complete: bool = False


class Session:
    """One run. `folder` is the state folder, which the caller has locked."""

    def __init__(self, options: Options, folder: Path, display: Display) -> None:
        """Nothing is read or started before `run`."""
        self._options = options
        self._folder = folder
        self._display = display
        self._file = StateFile.read(folder / "state.json")
        self._cluster = Cluster(self._file)
        self._kubelet = Kubelet(folder, self._file.state, self._cluster.around, self._pods_changed)
        self._store: SeaweedFS | None = None
        self._store_serves = asyncio.Event()
        self._controllers: dict[Key, Controller] = {}
        self._controlled: set[Key] = set()
        self._outcomes: dict[Key, Outcome] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: BaseException | None = None
        self._ending = asyncio.Event()
        self._killed = False
        self._failed = False

    async def run(self) -> int:
        """Until a signal, or with `until_complete` until all is done; the exit code."""
        killed = kill_leftovers(self._folder)
        if killed:
            self._display.say(f"killed {killed} processes that an earlier `dormouse dev` left running")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup leaves it
            # The terminal was closed. Kernel and shell may both say so: the second time is no wish to kill.
            loop.add_signal_handler(signal.SIGHUP, self._ending.set)
        stamps = self._stamps()
        try:
            self._apply(load(self._options.files))
            self._start("lines", self._show_lines())
            self._start("files", self._watch_files(stamps))
            await self._ending.wait()
        finally:
            await self._end()
        if self._trouble is not None:
            raise self._trouble
        return _KILLED if self._killed else int(self._failed)

    def _apply(self, manifests: Manifests) -> None:
        """Take manifests over and see to it that each workflow has a controller."""
        if needs_local_store(manifests):
            manifests = with_local_store(manifests, self._local_store())
        for told in self._cluster.apply(manifests):
            self._display.say(told)
        for key in self._cluster.keys:
            if key in self._controllers:
                self._controllers[key].wake()
                continue
            self._choose_port(key)
            self._cluster.forget_verdicts(key)
            self._tell_of_old_end(key)
            controller = Controller(
                key,
                self._cluster,
                self._kubelet,
                read_current=self._read_current,
                save=self._file.save,
                told=self._tell,
            )
            self._controllers[key] = controller
            self._start("/".join(key), self._control(controller))

    async def _control(self, controller: Controller) -> None:
        key = controller.key
        workflow = self._cluster.workflow(key)
        store = self._cluster.store((key[0], workflow.spec.storage.store_ref.name))
        if store is not None and MADE_HERE in store.metadata.annotations:
            # A keeper that finds no store tries again after ever longer pauses: waiting here is faster.
            await self._store_serves.wait()
        self._controlled.add(key)
        for lost in self._kubelet.resume(workflow.metadata.uid):
            self._display.say(f"{key[1]}: the folder of pod {lost} is gone, and the pod with it")
        await controller.run()

    def _local_store(self) -> SeaweedFS:
        """Launched when first needed."""
        if self._store is not None:
            return self._store
        port = self._options.store_port
        if port is not None and not is_free(port):
            raise StoreError(f"port {port} is taken; choose another one with --store-port, or leave it out")
        usual = self._file.state.store_port
        if port is None and usual and is_free(usual):
            port = usual
        store = SeaweedFS(self._folder / "store", port, environment=tag(self._folder))
        store.launch()
        self._display.say(f"the local S3 server starts at {store.endpoint}")
        write_environment(self._folder / STORE_ENVIRONMENT, store)
        self._store = store
        self._file.state.store_port = store.port
        self._start("store", self._keep_store(store))
        return store

    async def _keep_store(self, store: SeaweedFS) -> None:
        """Start it again when it ends: pods wait for a store, and nothing of theirs is lost by that."""
        while True:
            await asyncio.to_thread(store.wait_until_ready)
            self._store_serves.set()
            if store.pid is not None:
                await end_of(store.pid)
            self._display.warn("the local S3 server ended; it is started again")
            store.stop()
            await asyncio.sleep(_STORE_AGAIN_SECONDS)
            store.launch()

    def _choose_port(self, key: Key) -> None:
        """`--port` is for the first workflow; a port that was asked for is not replaced by another one."""
        port = self._options.port
        if port is None or self._controllers:
            return
        if not is_free(port):
            raise StateError(f"port {port} is taken; choose another one with --port, or leave it out")
        self._file.state.give_port("/".join(key), port)

    async def _read_current(self, workflow: DurableWorkflow) -> Current:
        namespace = workflow.metadata.namespace
        store = self._cluster.store((namespace, workflow.spec.storage.store_ref.name))
        if store is None:
            return CurrentUnread("the ObjectStore is gone")
        secret = self._cluster.secret((namespace, store.spec.credentials.secret_ref.name)) or {}
        bundle = None
        if store.spec.ca_bundle is not None:
            wanted = store.spec.ca_bundle.config_map_ref
            content = (self._cluster.config_map((namespace, wanted.name)) or {}).get(wanted.key, b"")
            bundle = self._folder / f"{namespace}.{store.metadata.name}.crt"
            bundle.write_bytes(content)
        return await read_current(workflow, store, secret, bundle)

    def _pods_changed(self, key: Key) -> None:
        controller = self._controllers.get(key)
        if controller is not None:
            controller.pods_changed()

    def _tell(self, key: Key, event: EmitEvent) -> None:
        if event.reason == "Completed":
            workflow = self._cluster.workflow(key)
            outcome = left_behind(self._kubelet.pods_of(workflow.metadata.uid))
            if is_failed(workflow.status):
                self._note_outcome(key, outcome or Outcome("Failed", ""))
                return
            if outcome is not None:
                self._note_outcome(key, outcome)
        say = self._display.warn if event.type == "Warning" else self._display.say
        say(f"{key[1]}: {event.reason}: {event.message}")

    def _note_outcome(self, key: Key, outcome: Outcome) -> None:
        """Told once; the pod's end tells again what its runtime said, perhaps cut off."""
        earlier, self._outcomes[key] = self._outcomes.get(key), outcome
        if earlier is None or (earlier.kind == "Blocked" and earlier != outcome):
            say = self._display.say if outcome.kind == "Completed" else self._display.warn
            whole = self._prints_result(key) if outcome.kind == "Completed" else ""
            say(f"{key[1]}: {outcome.text(whole)}")

    def _prints_result(self, key: Key) -> str:
        """The command that prints a workflow's result out of the file of its newest pod."""
        *_, newest = self._kubelet.pods_of(self._cluster.workflow(key).metadata.uid)
        volume = self._kubelet.folder_of(key[0], newest["metadata"]["name"]).volume("data")
        return f"dormouse result {os.path.relpath(volume / 'db.sqlite')} main"

    def _tell_of_old_end(self, key: Key) -> None:
        """Nothing will happen to a workflow that an earlier run completed: say so, and what to do instead."""
        workflow = self._cluster.workflow(key)
        completed = workflow.status.condition("Completed")
        if completed is None or completed.status != "True":
            return
        remedy = f"nothing to do (to run it again {self._cluster.remedy(key)})"
        end = f"at {completed.last_transition_time}"
        if is_failed(workflow.status):
            outcome = left_behind(self._kubelet.pods_of(workflow.metadata.uid))
            self._outcomes[key] = outcome or Outcome("Failed", "")
            error = f": {outcome.message}" if outcome is not None and outcome.message else ""
            if workflow.spec.start is not None:
                remedy += f"; to retry it, begin another one with restore.fromName {key[1]} and without start"
            self._display.warn(f"{key[1]}: Failed {end}{error}\n{key[1]}: {remedy}")
        else:
            self._display.say(f"{key[1]}: Completed {end}: {remedy}")
            if (outcome := left_behind(self._kubelet.pods_of(workflow.metadata.uid))) is not None:
                self._note_outcome(key, outcome)

    def _start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """A task that fails ends the session with its error: nothing goes on half blind."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._note_trouble)

    def _note_trouble(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (trouble := task.exception()) is not None:
            self._trouble = self._trouble or trouble
            self._ending.set()

    def _signalled(self) -> None:
        if not self._ending.is_set():
            self._ending.set()
            return
        self._killed = True
        self._kubelet.kill_all()

    async def _end(self) -> None:
        """Pods drain and seal, then the store stops."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._display.show(())
        if not self._killed and self._kubelet.is_busy:
            self._display.say("ending the pods: they drain and seal (Ctrl-C again kills them)")
        self._kubelet.end_all()
        await self._kubelet.all_ended()
        self._file.save()
        if self._store is not None:
            self._store.stop()

    def _stamps(self) -> list[tuple[int, int, int]]:
        return [_stamp(path) for path in self._options.files]

    async def _watch_files(self, known: list[tuple[int, int, int]]) -> None:
        while True:
            await asyncio.sleep(_FILES_EVERY_SECONDS)
            stamps = self._stamps()
            if stamps == known:
                continue
            known = stamps
            try:
                self._apply(load(self._options.files))
            except (ManifestError, StoreError) as wrong:
                self._display.warn(f"{wrong}\n(the last good version stays)")

    async def _show_lines(self) -> None:
        while True:
            self._display.show(await self._lines())
            if self._options.until_complete and (success := self._success()) is not None:
                self._failed = not success
                self._display.show(await self._lines())  # it may have ended while a runtime was asked for its line
                self._ending.set()
            await asyncio.sleep(_LINES_EVERY_SECONDS)

    async def _lines(self) -> list[Line]:
        return [await self._line(key) for key in self._cluster.keys]

    async def _line(self, key: Key) -> Line:
        workflow = self._cluster.workflow(key)
        if key not in self._controlled and not workflow.status.is_true("Completed"):
            return Line(key[1], "Pending", workflow.status.epoch, "the local S3 server starts")
        pods = self._kubelet.pods_of(workflow.metadata.uid)
        ports = self._kubelet.ports_of(workflow.metadata.uid)
        runtime, keeper = None, None
        if ports and workflow.status.phase == "Running":
            runtime = await get(ports[RUNTIME_CONTAINER], "/status", _LINES_EVERY_SECONDS)
            keeper = await get(ports[KEEPER_CONTAINER], "/status", _LINES_EVERY_SECONDS)
            await self._ask_for_outcome(key, ports[RUNTIME_CONTAINER])
        return line_of(
            workflow,
            pods,
            ports.get(RUNTIME_CONTAINER),
            {} if runtime is None else said(runtime.body),
            {} if keeper is None else said(keeper.body),
            datetime.now().astimezone(),
        )

    async def _ask_for_outcome(self, key: Key, port: int) -> None:
        """The runtime may go on for long after its start execution has ended."""
        known = self._outcomes.get(key)
        if self._cluster.workflow(key).spec.start is None or (known is not None and known.kind != "Blocked"):
            return
        answer = await get(port, RESULT_PATH, _LINES_EVERY_SECONDS)
        if (outcome := answered(answer)) is not None:
            self._note_outcome(key, outcome)
        elif answer is not None and answer.status == 202:
            self._outcomes.pop(key, None)

    def _success(self) -> bool | None:
        """How the run ends; None while it goes on."""
        statuses = [self._cluster.workflow(key).status for key in self._cluster.keys]
        is_blocked = any(outcome.kind == "Blocked" for outcome in self._outcomes.values())
        return is_success(statuses, is_blocked=is_blocked)


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes when the file does; all zero while an editor has moved it away."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
    return (0, 0, 0)
