"""How does a verb reach a DurableWorkflow on a cluster? Through kubectl, with the rights of whoever calls it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from dormouse.errors import DormouseError

_PORT = 8080
_WITHIN_SECONDS = 20.0
_SOUGHT = "{!r} is no file and no address as http://HOST:PORT, so it is looked for on a cluster as a DurableWorkflow"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class NotForwarded(DormouseError):
    """kubectl does not lead to the pod; the message is its own."""


@contextmanager
def forwarded(name: str, namespace: str | None) -> Iterator[str]:
    """The address of the workflow's present pod, as long as the context lasts."""
    where = [] if namespace is None else ["--namespace", namespace]
    pod = _kubectl("get", "durableworkflow", name, *where, "-o", "jsonpath={.status.podName}")
    if not pod:
        raise NotForwarded(f"{name} has no pod now; `kubectl describe dwf {name}` says why")
    command = ["kubectl", "port-forward", f"pod/{pod}", f":{_PORT}", "--address", "127.0.0.1", *where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield f"http://127.0.0.1:{_local_port(process)}"
    finally:
        process.terminate()
        process.wait()


def _local_port(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    said = []
    for line in process.stdout:
        found = _FORWARDING.search(line)
        if found:
            return found[1]
        said.append(line.strip())
    raise NotForwarded(f"kubectl port-forward: {' '.join(said) or 'it ended'}")


def _kubectl(*arguments: str) -> str:
    try:
        ran = subprocess.run(
            ["kubectl", *arguments],  # noqa: S607 - the user's own
            capture_output=True,
            text=True,
            timeout=_WITHIN_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NotForwarded(f"{_SOUGHT.format(arguments[2])}, which needs kubectl") from None
    except subprocess.TimeoutExpired:
        raise NotForwarded(f"kubectl did not answer within {_WITHIN_SECONDS:g} s; is the cluster there?") from None
    if ran.returncode:
        # Before it says what is wrong it logs each of its tries.
        raise NotForwarded(
            f"{_SOUGHT.format(arguments[2])}; kubectl: {(ran.stderr.strip() or 'it failed').splitlines()[-1]}"
        )
    return ran.stdout.strip()
