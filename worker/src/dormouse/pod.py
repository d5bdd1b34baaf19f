"""What do keeper and runtime share? The pod's settings, its files, its marker, and how it says farewell."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

Word = TypeVar("Word", bound=str)
Durability = Literal["Sync", "Async"]
_DURABILITIES: dict[str, Durability] = {"Sync": "Sync", "Async": "Async"}

TERMINATION_LOG = "/dev/termination-log"
TERMINATION_MESSAGE_BYTES = 4096  # the kubelet cuts what is longer
FENCE_SECONDS = 20


class InvalidSettings(ValueError):
    """The environment does not fit the contract of the pod."""


class Variables:
    """Reads environment variables with their types, and names the one that is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(name) or default
        if value is None:
            raise InvalidSettings(f"{name} is not set; the pod's spec is written by the operator, see docs/design.md")
        return value

    def one_of(self, name: str, known: Sequence[Word], default: Word) -> Word:
        value = self.text(name, default)
        for word in known:
            if word == value:
                return word
        raise InvalidSettings(f"{name} must be one of {', '.join(known)}, not {value!r}")

    def number(self, name: str, default: int | None = None) -> int:
        value = self.text(name, None if default is None else str(default))
        try:
            return int(value)
        except ValueError:
            raise InvalidSettings(f"{name} must be a whole number, not {value!r}") from None

    def optional_number(self, name: str) -> int | None:
        return self.number(name) if self._environment.get(name) else None

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default).lower())
        if value not in {"true", "false"}:
            raise InvalidSettings(f"{name} must be true or false, not {value!r}")
        return value == "true"


@dataclass(frozen=True)
class PodSettings:
    """Who this pod is."""

    name: str
    namespace: str
    workflow_uid: str
    pod_uid: str
    epoch: int
    directory: Path
    durability: Durability
    max_lag_seconds: int
    termination_log: Path
    fence_seconds: int = FENCE_SECONDS
    """So long after the last proof that the epoch is ours nothing acts any more."""

    @classmethod
    def parse(cls, variables: Variables) -> PodSettings:
        """Read the variables that both containers get."""
        durability = _DURABILITIES.get(found := variables.text("DORMOUSE_DURABILITY", "Sync"))
        if durability is None:
            raise InvalidSettings(f"DORMOUSE_DURABILITY must be Sync or Async, not {found!r}")
        epoch = variables.number("DORMOUSE_EPOCH")
        if epoch < 1:
            raise InvalidSettings(f"DORMOUSE_EPOCH must be at least 1, not {epoch}")
        fence = variables.number("DORMOUSE_FENCE_SECONDS", FENCE_SECONDS)
        if fence < 1:
            raise InvalidSettings(f"DORMOUSE_FENCE_SECONDS must be at least 1, not {fence}")
        return cls(
            name=variables.text("DORMOUSE_NAME"),
            namespace=variables.text("DORMOUSE_NAMESPACE"),
            workflow_uid=variables.text("DORMOUSE_WORKFLOW_UID"),
            pod_uid=variables.text("DORMOUSE_POD_UID"),
            epoch=epoch,
            directory=Path(variables.text("DORMOUSE_DIRECTORY", "/var/lib/dormouse")),
            durability=durability,
            max_lag_seconds=variables.number("DORMOUSE_MAX_LAG_SECONDS", 30),
            termination_log=Path(variables.text("DORMOUSE_TERMINATION_LOG", TERMINATION_LOG)),
            fence_seconds=fence,
        )

    @property
    def database(self) -> Path:
        return self.directory / "db.sqlite"

    @property
    def marker(self) -> Path:
        return self.directory / "marker.json"

    @property
    def keeper_socket(self) -> Path:
        return self.directory / "run" / "keeper.sock"


def checked_database(directory: Path) -> Path:
    """Of a replay check: where its first container restores to, and its second one reads."""
    return directory / "check.sqlite"


def checked_position(directory: Path) -> Path:
    """Of a replay check: what the first container tells the second one of it."""
    return directory / "check.json"


@dataclass(frozen=True)
class Marker:
    """Says whose database lies in the volume, and since which start of the machine."""

    pod_uid: str
    epoch: int
    boot_id: str


def boot_id() -> str:
    """Changes whenever the machine starts: fsynced data may still have been lost with its power."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_marker(path: Path) -> Marker | None:
    """The marker, or None when there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
        return Marker(str(found["podUID"]), int(found["epoch"]), str(found["bootId"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_marker(path: Path, marker: Marker) -> None:
    """Write the marker whole or not at all, and durably."""
    document = {"podUID": marker.pod_uid, "epoch": marker.epoch, "bootId": marker.boot_id}
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    fsync_directory(path.parent)


def fsync_directory(path: Path) -> None:
    """Make renames in a folder survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Ending:
    """How the main container's life ended, as its termination message says it."""

    reason: str
    message: str
    exit_code: int
    facts: dict[str, str] = field(default_factory=dict)


def say_farewell(path: Path, reason: str, message: str, **facts: object) -> None:
    """Write the termination message. It must never keep a container from ending, so a failure is only printed."""
    message = message.encode(errors="replace").decode()  # file names may hold what is no text
    document = {"reason": reason, "message": message, **facts}
    while len(data := json.dumps(document, ensure_ascii=False).encode()) > TERMINATION_MESSAGE_BYTES and message:
        message = message[: len(message) * 3 // 4]
        document["message"] = message + "..."
    try:
        path.write_bytes(data)
    except OSError as error:
        print(f"no termination message: {error}; it would have been: {document}")  # noqa: T201
