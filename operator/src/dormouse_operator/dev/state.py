"""What would an API server hold, and how does it outlive this process? One JSON file, replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dormouse_operator.api import DurableWorkflow, ObjectStore

_FORMAT = 1
Applied = TypeVar("Applied", DurableWorkflow, ObjectStore)


class StateError(Exception):
    """The state folder cannot be used; the message says why and what to do."""


class PodRecord(msgspec.Struct, rename="camel"):
    """One pod: its manifest with status, and what this machine gave it."""

    manifest: dict[str, Any]
    ports: dict[str, int] = {}
    """Container to the port that stands in for its own."""
    processes: dict[str, int] = {}
    """Container to process id, while it runs."""


class State(msgspec.Struct, rename="camel"):
    """Everything that must be known again after a kill -9. Keys are `namespace/name`."""

    format: int = _FORMAT
    store_port: int = 0
    http_ports: dict[str, int] = {}
    workflows: dict[str, DurableWorkflow] = {}
    stores: dict[str, ObjectStore] = {}
    pods: dict[str, PodRecord] = {}

    def give_port(self, workflow: str, port: int) -> None:
        """From now on the HTTP API of this workflow listens there, and that of no other one."""
        self.http_ports = {one: its for one, its in self.http_ports.items() if its != port} | {workflow: port}

    def usual_port(self, workflow: str, before: int) -> int:
        """Where it listens, or 0; `before` is where its pod did, which another workflow may have been given since."""
        return self.http_ports.get(workflow, 0 if before in self.http_ports.values() else before)


class StateFile:
    """The file `state.json`; `state` is its content, `save` makes it last."""

    def __init__(self, path: Path, state: State) -> None:
        """Use `read` to open one."""
        self.path = path
        self.state = state
        self._saved = b""

    @classmethod
    def read(cls, path: Path) -> StateFile:
        """The saved state, or an empty one when there is no file."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return cls(path, State())
        try:
            state = msgspec.json.decode(content, type=State)
        except msgspec.DecodeError as malformed:
            raise StateError(
                f"{path} cannot be read: {malformed}; restore it, or remove it: the workflows then get new UIDs "
                "and need `storage.takeOverFrom` to reach what they stored"
            ) from malformed
        if state.format != _FORMAT:
            raise StateError(f"{path} has format {state.format}, this version reads {_FORMAT}; use a newer one")
        return cls(path, state)

    def save(self) -> None:
        """Replace the file, on disk when this returns; nothing is written when nothing changed."""
        content = msgspec.json.encode(self.state)
        if content == self._saved:
            return
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(content))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._saved = content


def applied(earlier: Applied | None, wanted: Applied, now: str) -> Applied:
    """The object after `kubectl apply`: a new UID for a new one, a new generation for a new spec."""
    if earlier is None:
        born = msgspec.structs.replace(wanted.metadata, uid=str(uuid.uuid4()), generation=1, creation_timestamp=now)
        return msgspec.structs.replace(wanted, metadata=born)
    kept = earlier.metadata
    metadata = msgspec.structs.replace(
        wanted.metadata,
        uid=kept.uid,
        generation=kept.generation + (0 if wanted.spec == earlier.spec else 1),
        creation_timestamp=kept.creation_timestamp,
    )
    return msgspec.structs.replace(wanted, metadata=metadata, status=earlier.status)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one `dormouse dev`; the lock ends with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StateError(
                f"another `dormouse dev` (process {lock.read().strip() or 'unknown'}) runs in {folder.parent}; "
                "end it first, or put the manifests into a folder of their own"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
