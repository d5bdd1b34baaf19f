"""Where are the executions that a verb is about? TARGET is a file, a URL, or the name of a DurableWorkflow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dormouse.errors import DormouseError
from dormouse.token_file import read_tokens

if TYPE_CHECKING:
    from dormouse.client import Approvals, Client, Event, Execution, Executions
    from dormouse.client.forks import Fork
    from dormouse.cluster.kubectl import Kubectl


@dataclass(frozen=True)
class FileTarget:
    """A database file. It is only read."""

    path: Path


@dataclass(frozen=True)
class UrlTarget:
    """A runtime's address, and the token that it may ask for."""

    url: str
    token: str | None = None


@dataclass(frozen=True)
class NameTarget:
    """A DurableWorkflow on a cluster."""

    name: str
    kubectl: Kubectl
    token: str | None = None


Target = FileTarget | UrlTarget | NameTarget
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RUNTIME = "a runtime's is http://HOST:PORT, as `dormouse run` prints it"
_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d+/*")


class InvalidTarget(DormouseError):
    """It can be none of the three."""


def parse(text: str, kubectl: Kubectl, *, is_file: bool, token: str | None = None) -> Target:
    """Tell the three apart. Pure: `is_file` says whether there is such a file.

    Raises:
        InvalidTarget: when it is an address that lacks its `http://` or that no runtime can have, or nothing that a
            DurableWorkflow is called.
    """
    if "://" in text:
        return UrlTarget(_address(text), token)
    if not is_file and _HOST_AND_PORT.fullmatch(text):
        raise InvalidTarget(f"{text} is read as a DurableWorkflow's name; a runtime is http://{text}")
    if is_file or "/" in text or text.endswith((".sqlite", ".db")):
        return FileTarget(Path(text))
    if not _NAME.fullmatch(text):
        raise InvalidTarget(
            f"{text!r} is no file here, no address, and no name that a DurableWorkflow can have; name a database file, "
            "http://HOST:PORT, or a DurableWorkflow"
        )
    return NameTarget(text, kubectl, token)


def _address(text: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        found, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidTarget(f"{text} is no address: {error}; {_RUNTIME}") from error
    if parts.scheme == "s3":
        raise InvalidTarget(f"{text} is in a store; `dormouse pull {text}` brings it here as a file")
    if parts.scheme not in {"http", "https"} or not found:
        raise InvalidTarget(f"{text} is no address of a runtime; {_RUNTIME}")
    return text.rstrip("/")


def parsed_target(text: str, kubectl: Kubectl, token_file: Path | None) -> Target:
    """The same of what was typed here: files are looked for, and the token is read.

    Raises:
        InvalidTarget: as above.
        InvalidTokens: when the file holds no token.
    """
    return parse(text, kubectl, is_file=Path(text).is_file(), token=token_of(token_file))


def token_of(token_file: Path | None) -> str | None:
    """What is shown to a runtime: of the file, or of the environment."""
    return os.environ.get("DORMOUSE_TOKEN") or None if token_file is None else read_tokens(token_file)[0]


class NeedsRuntime(DormouseError):
    """A file was asked for what only a runtime can do."""


class Source(Protocol):
    """What all three can be asked."""

    forks: tuple[Fork, ...]

    def executions(self, *, status: str | None, workflow: str | None, limit: int, after: str | None) -> Executions: ...
    def show(self, execution_id: str) -> Execution: ...
    def history(self, execution_id: str) -> list[Event]: ...
    def outcome(self, execution_id: str, timeout: float | None) -> Execution: ...
    def approvals(self, *, limit: int, after: str | None, execution_id: str | None) -> Approvals: ...


class _Remote:
    """A runtime, asked over HTTP."""

    forks: tuple[Fork, ...] = ()  # of its file it tells nothing

    def __init__(self, client: Client) -> None:
        self._client = client

    def executions(self, *, status: str | None, workflow: str | None, limit: int, after: str | None) -> Executions:
        return self._client.executions(status=status, workflow=workflow, limit=limit, after=after)

    def show(self, execution_id: str) -> Execution:
        return self._client.handle(execution_id).show()

    def history(self, execution_id: str) -> list[Event]:
        return self._client.handle(execution_id).history()

    def approvals(self, *, limit: int, after: str | None, execution_id: str | None) -> Approvals:
        from dormouse.client import flows

        return self._client.run(flows.approvals(limit, after, execution_id))

    def outcome(self, execution_id: str, timeout: float | None) -> Execution:
        from dormouse.client import flows

        return self._client.run(flows.outcome(execution_id, timeout))


@contextmanager
def reading(target: Target) -> Iterator[Source]:
    """What a verb reads from."""
    if isinstance(target, FileTarget):
        from dormouse.client.file import DatabaseFile
        from dormouse.encryption import AesGcm

        with DatabaseFile(target.path, AesGcm.from_environment()) as file:
            yield file
    else:
        with writing(target) as client:
            yield _Remote(client)


@contextmanager
def writing(target: Target) -> Iterator[Client]:
    """What a verb talks to that changes something, or asks the workflow's code.

    Raises:
        NeedsRuntime: when it is a file.
    """
    if isinstance(target, FileTarget):
        from dormouse.commands.copies import why_not_to_run

        raise NeedsRuntime(
            why_not_to_run(target.path)
            or f"{target.path} is a file, and files are only read; this needs a runtime: run one with "
            f"`dormouse run MODULE --database {target.path}` and give the address that it prints"
        )
    from dormouse.client import Client

    if isinstance(target, UrlTarget):
        with Client(target.url, token=target.token) as client:
            yield client
        return
    from dormouse.commands.port_forward import forwarded

    with forwarded(target.name, target.kubectl) as url, Client(url, token=target.token) as client:
        yield client
