"""How does a verb reach a DurableWorkflow's pod? Through kubectl, with the rights of whoever calls it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.refusals import ClusterError, refused

_PORT = 8080
_WITHIN_SECONDS = 30.0
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@contextmanager
def forwarded(name: str, kubectl: Kubectl) -> Iterator[str]:
    """The address of the workflow's present pod, as long as the context lasts.

    Raises:
        ClusterError: when there is no pod, or no way to it.
    """
    try:
        workflow = kubectl.workflow(name)
    except ClusterError as error:
        raise type(error)(
            f"{name!r} is no file and no address as http://HOST:PORT, so it is looked for on a cluster as a "
            f"DurableWorkflow; {error}"
        ) from None
    pod = workflow.get("status", {}).get("podName")
    if not pod:
        raise ClusterError(f"{name} has no pod now; `dormouse status {name}` says why")
    with forwarded_pod(pod, kubectl.within(workflow["metadata"]["namespace"])) as url:
        yield url


@contextmanager
def forwarded_pod(pod: str, kubectl: Kubectl, within_seconds: float = _WITHIN_SECONDS) -> Iterator[str]:
    """The same of a pod by its own name."""
    command = kubectl.command("port-forward", f"pod/{pod}", f":{_PORT}", "--address=127.0.0.1")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        # A node that is lost does not answer for a long time, and kubectl says nothing meanwhile.
        impatience = Timer(within_seconds, process.terminate)
        impatience.start()
        try:
            port = _local_port(process)
            impatience.cancel()
            yield f"http://127.0.0.1:{port}"
        finally:
            impatience.cancel()
            process.terminate()


def _local_port(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    said = []
    for line in process.stdout:
        found = _FORWARDING.search(line)
        if found:
            return found[1]
        said.append(line)
    raise refused("".join(said) or "port-forward did not get through to the pod")
