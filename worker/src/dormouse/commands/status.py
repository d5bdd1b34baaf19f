"""`dormouse status`: how do DurableWorkflows on a cluster fare?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.refusals import WORKFLOWS, ClusterError, NotThere
from dormouse.cluster.seen import Seen
from dormouse.commands import completion, printing
from dormouse.commands.target import token_of
from dormouse.commands.verb import Verb, on_cluster, with_output
from dormouse.errors import DormouseError

if TYPE_CHECKING:
    from dormouse.runtime.views import StatusView

_POD_WITHIN_SECONDS = 5.0


@click.command(
    cls=Verb, examples=["dormouse status orders", "dormouse status --all-namespaces", "dormouse status -l team=shop -w"]
)
@click.argument("name", required=False, shell_complete=completion.workflow_names)
@on_cluster
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@click.option("-l", "--selector", help="Only those with these labels, such as team=shop.")
@click.option("-w", "--watch", is_flag=True, help="Then a line for each change, until Ctrl-C.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Holds the token that the pod asks for. Default: the environment's DORMOUSE_TOKEN, if it is set.",
)
@with_output("json", "yaml", "wide", "name", default="one screen about NAME; without it, a table")
def status(
    name: str | None,
    kubectl: Kubectl,
    *,
    all_namespaces: bool,
    selector: str | None,
    watch: bool,
    token_file: Path | None,
    output: str | None,
) -> None:
    """Show how DurableWorkflows on a cluster fare: everything about NAME, or a line for each.

    The executions of NAME are asked of its pod, if that can be reached; everything else is as the operator told it
    last. With -o json and -o yaml the DurableWorkflows are printed as kubectl does.
    """
    if name is not None and (all_namespaces or selector):
        raise click.UsageError("NAME means one: leave out -A and -l, or NAME")
    options = [*([name] if name else []), *(["--all-namespaces"] if all_namespaces else [])]
    options += [f"--selector={selector}"] if selector else []
    if output in ("json", "yaml", "name"):
        # As it comes: kubectl is the one that knows how its objects are printed.
        for line in kubectl.lines("get", WORKFLOWS, *options, f"--output={output}", *["--watch"] * watch):
            click.echo(line, nl=False)
    elif watch:
        _watched(kubectl, options, namespaced=all_namespaces, wide=output == "wide")
    elif name is not None and output is None:
        _everything(kubectl, name, token_file)
    else:
        found = [Seen(kubectl.workflow(name))] if name else [Seen(one) for one in kubectl.items(WORKFLOWS, *options)]
        _table(found, namespaced=all_namespaces, wide=output == "wide")


def _everything(kubectl: Kubectl, name: str, token_file: Path | None) -> None:
    from dormouse.cluster.status_text import status_text

    seen = Seen(kubectl.workflow(name))
    kubectl = kubectl.within(seen.namespace)
    pod = _pod(kubectl, seen)
    text = status_text(seen, pod, _events(kubectl, seen), _standing(kubectl, seen, pod, token_file), datetime.now(UTC))
    printing.say(text)


def _table(found: list[Seen], *, namespaced: bool, wide: bool) -> None:
    from dormouse.cluster.status_text import rows

    if not found:
        click.echo("there is no DurableWorkflow here; -A looks in all namespaces", err=True)
        return
    printing.say(printing.table(rows(found, datetime.now(UTC), namespaced=namespaced, wide=wide), cut=not wide))


def _watched(kubectl: Kubectl, options: list[str], *, namespaced: bool, wide: bool) -> None:
    """A line for each that there is, and for each change from then on."""
    from dormouse.cluster.status_text import rows
    from dormouse.cluster.watching import changes

    columns = printing.GrowingTable()
    watched = changes(kubectl, WORKFLOWS, *options, say=lambda text: click.echo(f"--- {text}", err=True))
    for number, (kind, document) in enumerate(watched):
        head, row = rows([Seen(document)], datetime.now(UTC), namespaced=namespaced, wide=wide)
        cells = [*row, "deleted"] if kind == "DELETED" else row
        if number == 0:
            columns.line(cells)  # so that the head is as wide as what stands below it
            printing.say(columns.line(head))
        printing.say(columns.line(cells))


def _pod(kubectl: Kubectl, seen: Seen) -> dict[str, Any] | None:
    if not (name := seen.text("podName")):
        return None
    try:
        return kubectl.get("pod", name)
    except NotThere:
        return None


def _events(kubectl: Kubectl, seen: Seen) -> list[dict[str, Any]]:
    uid = seen.document["metadata"].get("uid", "")
    try:
        return kubectl.items("events", f"--field-selector=involvedObject.uid={uid}")
    except ClusterError:  # whoever may not list them sees the rest
        return []


def _standing(kubectl: Kubectl, seen: Seen, pod: dict[str, Any] | None, token_file: Path | None) -> StatusView | str:
    """What the pod says of its executions, or why it was not asked."""
    if seen.spec.get("exec"):
        return "it runs a command instead of workflows"
    if pod is None:
        return "there is no pod"
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    if not any(one.get("name") == "runtime" and "running" in (one.get("state") or {}) for one in containers):
        return "its runtime does not run"
    from dormouse.client import Client, flows
    from dormouse.commands.port_forward import forwarded_pod

    try:
        with (
            forwarded_pod(pod["metadata"]["name"], kubectl, _POD_WITHIN_SECONDS) as url,
            Client(url, token=token_of(token_file)) as client,
        ):
            return client.run(flows.standing())
    except DormouseError as error:
        return str(error)
