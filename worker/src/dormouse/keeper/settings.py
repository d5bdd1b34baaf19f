"""What was this keeper told? Its environment, parsed once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dormouse.pod import InvalidSettings, PodSettings, Variables
from dormouse.replica.current import Position
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location, objection

_TOKEN_FILE = "/var/run/dormouse/token"  # noqa: S105 - its place, not the token
_OPERATOR_URL = re.compile(r"http://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?/?")


@dataclass(frozen=True)
class Operator:
    """Where the operator takes reports, and the file with the token that says who we are.

    Plain HTTP: the token is good for nothing but reports, and a report is only a hint.
    """

    host: str
    port: int
    token_file: Path


@dataclass(frozen=True)
class FromName:
    """Begin with another workflow's data: at a position, at a time, or (None) at its newest position."""

    name: str
    source: Layout
    at: Position | datetime | None


@dataclass(frozen=True)
class FromObject:
    """Begin with a SQLite file of the store's folder for imports."""

    key: str
    sha256: str


@dataclass(frozen=True)
class Settings:
    """Settings of the keeper; `pod` are those it shares with the runtime."""

    pod: PodSettings
    location: Location
    layout: Layout
    host: str
    port: int
    first_claim: bool
    allow_empty_restore: int | None
    adopts_released: bool
    take_over_from: str | None
    retention_seconds: int
    grace_seconds: int
    operator: Operator | None = None
    restore: FromName | FromObject | None = None
    pauses_executions: bool = True
    """Of a fork: those that were open in its source wait until somebody lets them go on."""


def parse(environment: Mapping[str, str]) -> Settings:
    """Read the environment.

    Raises:
        InvalidSettings: with the name of the variable and what it must be.
    """
    variables = Variables(environment)
    pod = PodSettings.parse(variables)
    endpoint = variables.text("DORMOUSE_STORE_ENDPOINT", "")
    if endpoint and not re.fullmatch(r"https?://[^/\s]+/?", endpoint):
        raise InvalidSettings(f"DORMOUSE_STORE_ENDPOINT must be a URL such as https://s3.example.org, not {endpoint!r}")
    return Settings(
        pod=pod,
        location=Location(
            bucket=variables.text("DORMOUSE_STORE_BUCKET"),
            endpoint=endpoint,
            region=variables.text("DORMOUSE_STORE_REGION", "us-east-1"),
            path_style=variables.flag("DORMOUSE_STORE_PATH_STYLE", True),
            access_key_id=_key(variables, "DORMOUSE_STORE_ACCESS_KEY_ID"),
            secret_access_key=_key(variables, "DORMOUSE_STORE_SECRET_ACCESS_KEY"),
            session_file=variables.text("DORMOUSE_STORE_SESSION_FILE", ""),
            ca_bundle=variables.text("DORMOUSE_STORE_CA_BUNDLE", ""),
            kms_key_id=variables.text("DORMOUSE_STORE_KMS_KEY_ID", ""),
        ),
        layout=Layout.of(variables.text("DORMOUSE_STORE_PREFIX", ""), pod.namespace, pod.name),
        host=variables.text("DORMOUSE_HOST", "0.0.0.0"),  # noqa: S104 - the kubelet probes the pod's address
        port=variables.number("DORMOUSE_PORT", 8081),
        first_claim=variables.flag("DORMOUSE_FIRST_CLAIM", False),
        allow_empty_restore=variables.optional_number("DORMOUSE_ALLOW_EMPTY_RESTORE"),
        adopts_released=variables.flag("DORMOUSE_ADOPT_RELEASED", False),
        take_over_from=variables.text("DORMOUSE_TAKE_OVER_FROM", "") or None,
        retention_seconds=variables.number("DORMOUSE_RETENTION_SECONDS", 86400),
        grace_seconds=variables.number("DORMOUSE_GRACE_SECONDS", 60),
        operator=_operator(variables),
        restore=_restore(variables, pod),
        pauses_executions=variables.one_of("DORMOUSE_RESTORE_EXECUTIONS", ("Paused", "Running"), "Paused") == "Paused",
    )


def _restore(variables: Variables, pod: PodSettings) -> FromName | FromObject | None:
    if key := variables.text("DORMOUSE_RESTORE_FROM_OBJECT", ""):
        return FromObject(key, variables.text("DORMOUSE_RESTORE_SHA256"))
    if name := variables.text("DORMOUSE_RESTORE_FROM_NAME", ""):
        source = Layout.of(variables.text("DORMOUSE_STORE_PREFIX", ""), pod.namespace, name)
        return FromName(name, source, _at(variables.text("DORMOUSE_RESTORE_AT", "")))
    return None


def _at(text: str) -> Position | datetime | None:
    if not text:
        return None
    try:
        if "/" in text:
            return Position.parse(text)
        if (moment := datetime.fromisoformat(text)).tzinfo is not None:
            return moment
    except ValueError:
        pass
    raise InvalidSettings(
        f"DORMOUSE_RESTORE_AT must be a position such as 3/41 or a time such as 2026-05-01T12:00:00Z, not {text!r}"
    )


def _key(variables: Variables, name: str) -> str:
    text = variables.text(name, "")
    if wrong := objection(text):
        raise InvalidSettings(f"{variables.text(f'{name}_FROM', name)}: {wrong}")
    return text


def _operator(variables: Variables) -> Operator | None:
    """None where nobody takes reports."""
    url = variables.text("DORMOUSE_OPERATOR_URL", "")
    if not url:
        return None
    found = _OPERATOR_URL.fullmatch(url)
    port = int(found[2] or 80) if found is not None else 0
    if found is None or not 0 < port < 65536:
        raise InvalidSettings(f"DORMOUSE_OPERATOR_URL must be a URL such as http://operator.example:8090, not {url!r}")
    return Operator(found[1], port, Path(variables.text("DORMOUSE_TOKEN_FILE", _TOKEN_FILE)))
