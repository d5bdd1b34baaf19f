"""What was this guest told, and what is it told in turn? Both are environments."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dormouse.keeper.client import Life
from dormouse.pod import InvalidSettings, PodSettings, Variables

_LONGEST_SOCKET_NAME = 100  # the kernel allows 108 bytes
_OURS = ("DORMOUSE_HOST", "DORMOUSE_PORT")
"""Where `dormouse exec` itself answers the probes."""


@dataclass(frozen=True)
class Settings:
    """Settings of `dormouse exec`; `pod` are those it shares with the keeper."""

    pod: PodSettings
    host: str
    port: int
    grace_seconds: int
    command: Sequence[str]


def parse(environment: Mapping[str, str], command: Sequence[str]) -> Settings:
    """Read the environment.

    Raises:
        InvalidSettings: with the name of what is wrong and what it must be.
    """
    if not command:
        raise InvalidSettings("there is no command to run; name it after `--`, or in spec.exec.command")
    variables = Variables(environment)
    return Settings(
        pod=PodSettings.parse(variables),
        host=variables.text("DORMOUSE_HOST", "0.0.0.0"),  # noqa: S104 - the kubelet probes the pod's address
        port=variables.number("DORMOUSE_PORT", 8080),
        grace_seconds=variables.number("DORMOUSE_GRACE_SECONDS", 60),
        command=tuple(command),
    )


def guest_environment(environment: Mapping[str, str], pod: PodSettings, life: Life, socket: str) -> dict[str, str]:
    """What the command is given, which docs/guests.md promises."""
    passed_on = {name: value for name, value in environment.items() if name not in _OURS}
    return {
        **passed_on,
        "DORMOUSE_DATABASE": str(pod.database),
        "DORMOUSE_KEEPER_SOCKET": socket,
        "DORMOUSE_EPOCH": str(life.epoch),
        "DORMOUSE_IDENTITY": life.identity,
        "DORMOUSE_RESTORED_FROM": life.restored_from or "",
    }


def socket_name(path: Path, descriptor: int) -> str:
    """A name of the socket that every program can connect to; `descriptor` is its folder, open in this process."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_NAME:
        return str(path)
    return f"/proc/{os.getpid()}/fd/{descriptor}/{path.name}"
