"""`dormouse logs`: what do a workflow's pods write, one life after the other?"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import click

from dormouse.cluster.following import Following, Left, Life, Log, Said, epoch_of, lives, prefix
from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.refusals import ClusterError, NoAnswer, NotThere
from dormouse.cluster.watching import changes, pause_seconds
from dormouse.commands import completion, printing
from dormouse.commands.verb import Verb, on_cluster

_COLOURS = {"runtime": "green", "litestream": "yellow"}
_TRIES = 5
_LEFT_OPTIONS = {Left.ALL: ["--follow"], Left.REST: [], Left.REST_BEFORE_RESTART: ["--previous"]}
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
    # The pod of a replay check has no epoch.
    selector = f"--selector=dormouse.dev/name={name},dormouse.dev/epoch"
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
            show(life, line)


def _followed(kubectl: Kubectl, selector: str, following: Following, options: list[str]) -> None:
    """Each stream has a thread that does nothing but wait for its next line."""
    told: queue.Queue[_Line | Exception] = queue.Queue()

    def read(life: Life) -> None:
        try:
            for line in read_to_its_end(kubectl, Log(life), options):
                told.put((life, line))
        except NotThere:
            pass  # a pod that is removed takes its log with it
        except ClusterError as error:
            told.put((None, f"the log of {life.container} in {life.pod} broke off: {error}"))

    def watch() -> None:
        try:
            for change, pod in changes(kubectl, "pods", selector, say=lambda text: told.put((None, text))):
                for found in following.deleted(pod) if change == "DELETED" else following.seen(pod):
                    if isinstance(found, Said):
                        told.put((None, found.text))
                    else:
                        _in_background(partial(read, found))
        except ClusterError as error:
            told.put(error)

    _in_background(watch)
    while True:
        line = told.get()
        if isinstance(line, Exception):
            raise line
        show(*line)


def read_to_its_end(kubectl: Kubectl, log: Log, options: list[str]) -> Iterator[str]:
    """Each line once. The API server, the kubelet or the network may end a stream before the log ends.

    Raises:
        NotThere: when the pod is gone.
        ClusterError: when it cannot be read any more.
    """
    pod, tries, left = log.life.pod, 0, Left.ALL
    while left is not Left.NOTHING:
        where = [pod, f"--container={log.life.container}", "--timestamps"]
        begins = log.begin()
        since = options if begins is None else [f"--since-time={begins}"]
        try:
            for line in kubectl.lines("logs", *where, *_LEFT_OPTIONS[left], *since):
                text = log.unread(line)
                if text is not None:
                    tries = 0
                    yield text
            left = log.left(kubectl.get("pod", pod), left)
            tries = 0
        except NotThere:
            raise
        except ClusterError as error:
            tries += 1
            if tries == _TRIES and not isinstance(error, NoAnswer):
                raise
        if left is Left.ALL or tries:
            time.sleep(pause_seconds(tries))


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def show(life: Life | None, line: str) -> None:
    """A line of a log, or without a life something about the pods."""
    if life is None:
        click.echo(printing.for_terminal(f"--- {line}"), err=True)
    else:
        head = click.style(prefix(life), fg=_COLOURS.get(life.container))
        printing.say(f"{head}  {line.rstrip()}")
