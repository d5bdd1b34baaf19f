"""`dormouse logs`: what do a workflow's pods write, one life after the other?"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial

import click

from dormouse.cluster.following import Following, Life, Said, epoch_of, lives, prefix
from dormouse.cluster.kubectl import Kubectl, documents
from dormouse.cluster.refusals import ClusterError
from dormouse.commands import completion, printing
from dormouse.commands.verb import Verb, on_cluster

_COLOURS = {"runtime": "green", "litestream": "yellow"}
_PAUSE_SECONDS = 1.0
_Line = tuple[Life | None, str]


@click.command(
    cls=Verb, examples=["dormouse logs orders", "dormouse logs orders --no-follow --since 10m -c runtime -n shop"]
)
@click.argument("name", shell_complete=completion.workflow_names)
@on_cluster
@click.option("-c", "--container", "containers", multiple=True, help="Only runtime, or only litestream. Default: both.")
@click.option("--since", help="Begin so long ago, such as 90s, 10m or 2h. Default: from the beginning of the pod.")
@click.option("--follow/--no-follow", default=True, help="Go on with what is written, and with the next pod.")
def logs(name: str, kubectl: Kubectl, *, containers: tuple[str, ...], since: str | None, follow: bool) -> None:
    """Print what the containers of NAME's pod write, and go on with the next pod when that one is replaced.

    Each line begins with the epoch and the container: runtime is your code, litestream is the keeper, which brings
    the data to the store. What is said about the pods themselves goes to the standard error. Ctrl-C ends it.
    """
    workflow = kubectl.workflow(name)
    kubectl = kubectl.within(workflow["metadata"]["namespace"])
    selector = f"--selector=dormouse.dev/name={name}"
    options = [f"--since={since}"] if since else []
    if follow:
        _followed(kubectl, selector, Following(containers), options)
        return
    pods = sorted(kubectl.items("pods", selector), key=epoch_of)
    found = [life for life in (lives(pods[-1]) if pods else ()) if not containers or life.container in containers]
    if not found:
        raise ClusterError(f"{name} has no pod with such a log now; `dormouse status {name}` says why")
    for life in found:
        for line in kubectl.lines("logs", life.pod, f"--container={life.container}", *options):
            _print(life, line)


def _followed(kubectl: Kubectl, selector: str, following: Following, options: list[str]) -> None:
    """Each stream has a thread that does nothing but wait for its next line."""
    told: queue.Queue[_Line | Exception] = queue.Queue()

    def read(life: Life) -> None:
        try:
            for line in kubectl.lines("logs", life.pod, f"--container={life.container}", "--follow", *options):
                told.put((life, line))
        except ClusterError as error:  # a pod that is removed takes its log with it
            told.put((None, f"the log of {life.container} in {life.pod} broke off: {error}"))

    def watch() -> None:
        try:
            while True:  # the API server ends a watch now and then; what is known already is not said again
                changes = kubectl.lines("get", "pods", selector, "--watch", "--output-watch-events", "--output=json")
                for event in documents(changes):
                    pod = event["object"]
                    for found in following.deleted(pod) if event["type"] == "DELETED" else following.seen(pod):
                        if isinstance(found, Said):
                            told.put((None, found.text))
                        else:
                            _in_background(partial(read, found))
                time.sleep(_PAUSE_SECONDS)
        except ClusterError as error:
            told.put(error)

    _in_background(watch)
    while True:
        line = told.get()
        if isinstance(line, Exception):
            raise line
        _print(*line)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _print(life: Life | None, line: str) -> None:
    if life is None:
        click.echo(printing.for_terminal(f"--- {line}"), err=True)
    else:
        head = click.style(prefix(life), fg=_COLOURS.get(life.container))
        printing.say(f"{head}  {line.rstrip()}")
