"""What was this runtime told? Its environment, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from dormouse.engine.payload import encode
from dormouse.engine.retention import Retention
from dormouse.engine.sealing import Codec
from dormouse.pod import InvalidSettings, PodSettings, Variables

MAIN = "main"


@dataclass(frozen=True)
class Start:
    """The execution `main`: its workflow, and its input as canonical JSON."""

    workflow: str
    payload: bytes | None


@dataclass(frozen=True)
class Settings:
    """Settings of the runtime; `pod` are those it shares with the keeper."""

    pod: PodSettings
    host: str
    port: int
    token_file: Path | None
    entrypoint: str
    source: Path
    start: Start | None
    app_version: str
    wake_reason: str
    grace_seconds: int
    codec: Codec | None = None
    sends_traces: bool = False
    operator_sends_life: bool = False
    """The operator sends the span that all others of this life are within."""
    retention: Retention | None = None
    drill_seconds: int = 0
    """How often a restore is tried out; 0 is never."""
    last_drill: datetime | None = None


def parse(environment: Mapping[str, str]) -> Settings:
    """Read the environment.

    Raises:
        InvalidSettings: with the name of the variable and what it must be.
    """
    variables = Variables(environment)
    return Settings(
        pod=PodSettings.parse(variables),
        host=variables.text("DORMOUSE_HOST", "0.0.0.0"),  # noqa: S104 - the kubelet probes the pod's address
        port=variables.number("DORMOUSE_PORT", 8080),
        token_file=Path(path) if (path := variables.text("DORMOUSE_API_TOKEN_FILE", "")) else None,
        entrypoint=variables.text("DORMOUSE_ENTRYPOINT", "main"),
        source=Path(variables.text("DORMOUSE_SOURCE", "/etc/dormouse/source")),
        start=_start(variables),
        app_version=variables.text("DORMOUSE_APP_VERSION", ""),
        wake_reason=variables.text("DORMOUSE_WAKE_REASON", ""),
        grace_seconds=variables.number("DORMOUSE_GRACE_SECONDS", 60),
        codec=_codec(environment),
        sends_traces=variables.flag("DORMOUSE_TELEMETRY", default=False),
        operator_sends_life=variables.flag("DORMOUSE_OPERATOR_SENDS_LIFE", default=False),
        retention=_retention(variables),
        drill_seconds=variables.number("DORMOUSE_DRILL_SECONDS", 0),
        last_drill=_moment(variables, "DORMOUSE_LAST_DRILL"),
    )


def _moment(variables: Variables, name: str) -> datetime | None:
    text = variables.text(name, "")
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidSettings(f"{name} must be a time such as 2026-05-01T12:00:00Z, not {text!r}") from None


def _codec(environment: Mapping[str, str]) -> Codec | None:
    from dormouse.encryption import AesGcm, InvalidKeys
    from dormouse.extras import NotInstalled

    try:
        return AesGcm.from_environment(environment)
    except (InvalidKeys, NotInstalled) as error:
        raise InvalidSettings(str(error)) from error


def _retention(variables: Variables) -> Retention | None:
    """What runs once has to be known as long as there is its file, so `main` stays."""
    count, seconds = (variables.optional_number(f"DORMOUSE_KEEP_{which}") for which in ("COUNT", "SECONDS"))
    for name, number in (("COUNT", count), ("SECONDS", seconds)):
        if number is not None and number < 0:
            raise InvalidSettings(f"DORMOUSE_KEEP_{name} must be 0 or more, not {number}")
    return None if count is None and seconds is None else Retention(count, seconds, never=frozenset({MAIN}))


def _start(variables: Variables) -> Start | None:
    workflow = variables.text("DORMOUSE_START_WORKFLOW", "")
    if not workflow:
        return None
    text = variables.text("DORMOUSE_START_INPUT", "")
    try:
        return Start(workflow, encode(msgspec.json.decode(text)) if text else None)
    except msgspec.DecodeError as error:
        raise InvalidSettings(f"DORMOUSE_START_INPUT is not JSON: {error}") from error
