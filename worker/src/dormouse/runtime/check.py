"""`python -m dormouse.runtime.check`: would the open executions go on with this image and this source?

The main container of a replay check. The newest state was restored into the volume before; the code is imported and
replayed over it. No activity runs, nothing is written, and Python's own sockets reach nobody.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import sqlite3
import sys
from pathlib import Path

from dormouse.ending import end_process
from dormouse.engine.requests import by_name
from dormouse.errors import DormouseError, InvalidDefinition
from dormouse.logs import log_as_told
from dormouse.pod import (
    TERMINATION_LOG,
    Ending,
    InvalidSettings,
    checked_database,
    checked_position,
    say_farewell,
)
from dormouse.runtime.ending import ending_of
from dormouse.runtime.entrypoint import EntrypointFailed, load
from dormouse.runtime.replaying import Replayed, replay_open
from dormouse.runtime.settings import Settings, parse

_log = logging.getLogger("dormouse.runtime")
_NETWORK = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo"})
_NAMED = 3
"""A termination message has room for no more."""


class NoNetwork(PermissionError):
    """Code that is checked reaches nobody."""


def refuse_network() -> None:
    """From now on, and for good: a module that asks somebody when it is imported must not do so here."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK and getattr(arguments[0], "family", None) != socket.AF_UNIX:
            raise NoNetwork("there is no network in a replay check; open connections in activities, not at the import")

    sys.addaudithook(refuse)


def check(settings: Settings, source_sha256: str = "") -> Ending:
    """Import, replay, and say what came of it. `source_sha256`: of the inline source that is to be checked."""
    directory = settings.pod.directory
    try:
        _check_source(settings, source_sha256)
        told = json.loads(checked_position(directory).read_text(encoding="utf-8"))
        workflows = by_name(load(settings.entrypoint, settings.source))
        if told["position"] is None:
            return Ending("Replayed", "there is no data yet, so nothing has to go on with the new spec", 0)
        return verdict(str(told["position"]), replay_open(checked_database(directory), workflows, settings.codec))
    except InvalidDefinition as error:
        return ending_of(EntrypointFailed(str(error)))
    except (EntrypointFailed, DormouseError, sqlite3.Error, OSError, ValueError) as error:
        return ending_of(error)


def verdict(position: str, found: Replayed) -> Ending:
    """The result in words. Pure."""
    facts = {"position": position, "open": str(found.open)}
    if found.diverged:
        told = [f"execution {one}: {why.message}" for one, why in list(found.diverged.items())[:_NAMED]]
        if (more := len(found.diverged) - _NAMED) > 0:
            told.append(f"and {more} more")
        count = f"{len(found.diverged)} of {found.open} open executions, as they were at {position},"
        return Ending("ReplayDiverged", f"{count} cannot go on with the new spec:\n" + "\n".join(told), 1, facts)
    message = f"{found.open} open executions, as they were at {position}, go on with the new spec"
    if found.blocked:
        message += f", but for {len(found.blocked)} that cannot go on with the one before either"
    return Ending("Replayed", message, 0, facts)


def _check_source(settings: Settings, sha256: str) -> None:
    """A kubelet may have mounted the source of an earlier check."""
    if not sha256:
        return
    mounted = settings.source / f"{settings.entrypoint}.py"
    if hashlib.sha256(mounted.read_bytes()).hexdigest() != sha256:
        raise EntrypointFailed("the mounted source is not yet the one that is to be checked")


def main() -> int:
    """Check, and say so in the termination message; the exit code is 0 only when all go on."""
    try:
        log_as_told(os.environ)
        settings = parse(os.environ)
    except InvalidSettings as error:
        _log.critical("InvalidSettings: %s", error)
        farewell = Path(os.environ.get("DORMOUSE_TERMINATION_LOG") or TERMINATION_LOG)
        say_farewell(farewell, "InvalidSettings", str(error))
        return 1
    refuse_network()
    ending = check(settings, os.environ.get("DORMOUSE_SOURCE_SHA256", ""))
    _log.log(logging.ERROR if ending.exit_code else logging.INFO, "%s: %s", ending.reason, ending.message)
    say_farewell(settings.pod.termination_log, ending.reason, ending.message, **ending.facts)
    return ending.exit_code


if __name__ == "__main__":
    # Not sys.exit: a thread that the user's module began must not keep the pod from ending.
    end_process(main())
