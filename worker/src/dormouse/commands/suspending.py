"""`dormouse suspend` and `resume`: a DurableWorkflow rests, or goes on; so do executions that a restore has paused."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dormouse.cluster.kubectl import Kubectl
from dormouse.cluster.refusals import WORKFLOWS
from dormouse.cluster.seen import Seen
from dormouse.commands import completion, printing
from dormouse.commands.target import InvalidTarget, NameTarget, Target, parsed_target, writing
from dormouse.commands.verb import Verb, on_cluster, with_output

_SELECTOR = click.option("-l", "--selector", help="Those with these labels, such as team=shop, in the place of names.")


@click.command(cls=Verb, examples=["dormouse suspend orders", "dormouse suspend -l team=shop -n stage"])
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completion.workflow_names)
@on_cluster
@_SELECTOR
def suspend(names: tuple[str, ...], kubectl: Kubectl, selector: str | None) -> None:
    """Let DurableWorkflows on a cluster rest: each pod seals what it has in the store and ends.

    Nothing runs until `dormouse resume`; timers that become due meanwhile ring then.
    """
    for one in _meant(kubectl, names, selector):
        if one.is_suspended:
            printing.say(f"{one.name} is suspended already")
        else:
            _set_mode(kubectl, one, "Suspended")
            printing.say(f"{one.name} is asked to suspend; `dormouse status {one.name}` shows when it rests")


@click.command(
    cls=Verb,
    examples=[
        "dormouse resume orders",
        "dormouse resume -l team=shop -n stage",
        "dormouse resume http://localhost:8080 --all-executions",
    ],
)
@click.argument("targets", metavar="[NAME|TARGET]...", nargs=-1, shell_complete=completion.targets)
@on_cluster
@_SELECTOR
@click.option("--execution", help="This one goes on that is paused, and those that it has called or was called by.")
@click.option("--all-executions", is_flag=True, help="All go on that are paused.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Holds the token that the runtime asks for. Default: the environment's DORMOUSE_TOKEN, if it is set.",
)
@with_output("json", "yaml", "name", default="a line that says what goes on")
def resume(
    targets: tuple[str, ...],
    kubectl: Kubectl,
    *,
    selector: str | None,
    execution: str | None,
    all_executions: bool,
    token_file: Path | None,
    output: str | None,
) -> None:
    """Let suspended DurableWorkflows go on, or paused executions.

    NAMEs are of DurableWorkflows on a cluster. With --execution or --all-executions, executions go on that are paused
    since their file was forked or restored; these are for one TARGET, a runtime's address or a NAME. Until then nothing
    of them is done twice.
    """
    try:
        meant = [parsed_target(target, kubectl, token_file) for target in targets]
    except InvalidTarget as error:
        raise click.BadParameter(str(error), param_hint="TARGET") from error
    if execution is not None or all_executions:
        _resume_executions(meant, selector, execution, all_of_them=all_executions, output=output)
        return
    if output is not None:
        raise click.UsageError("-o goes with --execution or --all-executions")
    for target in meant:
        if not isinstance(target, NameTarget):
            raise click.UsageError(
                "a file or an address is not suspended: give the name of a DurableWorkflow; or, for executions that "
                "are paused since a restore, --execution ID or --all-executions"
            )
    for one in _meant(kubectl, targets, selector):
        if one.is_suspended:
            _set_mode(kubectl, one, "Running")
            printing.say(f"{one.name} is asked to go on; `dormouse status {one.name}` shows when it does")
        else:
            printing.say(f"{one.name} is not suspended")


def _resume_executions(
    meant: list[Target], selector: str | None, execution: str | None, *, all_of_them: bool, output: str | None
) -> None:
    if len(meant) != 1 or selector or (execution is not None and all_of_them):
        raise click.UsageError("give one TARGET, and either --execution ID or --all-executions")
    with writing(meant[0]) as client:
        if execution is not None:
            printing.say(printing.told_text(client.handle(execution).resume(), output))
        else:
            printing.say(printing.resumed_text(client.resume(), output))


def _meant(kubectl: Kubectl, names: tuple[str, ...], selector: str | None) -> list[Seen]:
    """All of them, before any of them is changed."""
    if bool(names) == bool(selector):
        raise click.UsageError("give names, or -l")
    if names:
        return [Seen(kubectl.workflow(name)) for name in dict.fromkeys(names)]
    found = [Seen(one) for one in kubectl.items(WORKFLOWS, f"--selector={selector}")]
    if not found:
        raise click.BadParameter(f"no DurableWorkflow here has the labels {selector}", param_hint="-l")
    return found


def _set_mode(kubectl: Kubectl, one: Seen, mode: str) -> None:
    patch = json.dumps({"spec": {"operatingMode": mode}})
    kubectl.within(one.namespace).run("patch", WORKFLOWS, one.name, "--type=merge", f"--patch={patch}")
