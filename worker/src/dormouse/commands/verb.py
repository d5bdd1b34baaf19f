"""What do all verbs have in common? How their errors end them, and the options that they share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec

import click

from dormouse.cluster.kubectl import Kubectl
from dormouse.commands import completion
from dormouse.commands.target import InvalidTarget, parsed_target
from dormouse.errors import DormouseError, UnknownExecution

REFUSED, WRONG, STILL_OPEN, UNREACHABLE = 1, 2, 3, 4
"""Exit codes; that of a wrong command line is click's own."""
_PLUGIN = "kubectl dormouse"
_UNREACHABLE = ("Unreachable", "NotReadable", "ClusterError", "NotThere", "NoAnswer")
TARGETS = (
    ("orders.sqlite", "A database file. It is only read."),
    ("http://localhost:8080", "The address of a runtime, as `dormouse run` prints it."),
    ("orders", "The name of a DurableWorkflow on the cluster of your kubectl, in the namespace of -n."),
)
_NO_FILE = (
    "A database file can only be read, and this needs a runtime: serve the file with "
    "`dormouse run MODULE --database FILE`, and give the address that it prints."
)
P = ParamSpec("P")


class _Ended(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click's own is of the class, and read of the instance


class Verb(click.Command):
    """Ends with a message and an exit code instead of a traceback; its help says what a TARGET is.

    Args:
        examples: command lines, shown in its help.
    """

    def __init__(self, *args: Any, examples: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        takes = next((one for one in self.params if one.name == "target" and isinstance(one, click.Argument)), None)
        if takes is not None:
            with formatter.section("TARGET is one of"):
                formatter.write_dl(TARGETS if isinstance(takes.type, click.Path) else TARGETS[1:])
            if not isinstance(takes.type, click.Path):
                formatter.write_paragraph()
                formatter.write_text(_NO_FILE)
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            for line in self.examples:  # as they are: a line that is wrapped cannot be copied
                shown = line.replace("dormouse", _PLUGIN, 1) if ctx.find_root().info_name == _PLUGIN else line
                formatter.write(f"{' ' * formatter.current_indent}{shown}\n")
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TimeoutError as error:
            code, message = STILL_OPEN, str(error)
        except UnknownExecution as error:  # 1 is an answer of some verbs: it failed, it differs
            code, message = WRONG, f"{error}; `{_listing(ctx.params)}` shows which there are"
        except DormouseError as error:
            code, message = (UNREACHABLE if type(error).__name__ in _UNREACHABLE else REFUSED), str(error)
        raise _Ended(message, code)


def _listing(given: Mapping[str, Any]) -> str:
    """The command that lists what is in the same file, runtime or workflow."""
    where = given.get("file") or given.get("target")  # a fork has a target of its own
    words = ["dormouse", "list", *([] if where is None else [str(where)])]
    if given.get("namespace"):
        words += ["-n", str(given["namespace"])]
    return shlex.join(words)


def on_cluster(function: Callable[..., None]) -> Callable[..., None]:
    """Add which cluster and which namespace, as kubectl names them: the function is given a Kubectl."""

    @click.option(
        "-n", "--namespace", help="Where the DurableWorkflow is. Default: the namespace of the kubeconfig's context."
    )
    @click.option("--context", help="Which context of the kubeconfig. Default: the current one.")
    @click.option(
        "--kubeconfig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The kubeconfig file. Default: as kubectl finds it.",
    )
    @wraps(function)
    def with_kubectl(namespace: str | None, context: str | None, kubeconfig: Path | None, **others: Any) -> None:
        function(kubectl=Kubectl(namespace, context, kubeconfig), **others)

    return with_kubectl


def on_target(function: Callable[..., None]) -> Callable[..., None]:
    """Add TARGET, and the cluster of a name: the function is given what they mean."""
    return click.argument("target", type=click.Path(), shell_complete=completion.targets)(_with_target(function))


def on_runtime(function: Callable[..., None]) -> Callable[..., None]:
    """The same for a verb that changes something, or asks the workflow's code: a file is refused."""
    return click.argument("target", shell_complete=completion.workflow_names)(_with_target(function))


def _with_target(function: Callable[..., None]) -> Callable[..., None]:
    @on_cluster
    @click.option(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Holds the token that the runtime asks for. Default: the environment's DORMOUSE_TOKEN, if it is set.",
    )
    @wraps(function)
    def with_target(target: str, kubectl: Kubectl, token_file: Path | None, **others: Any) -> None:
        try:
            meant = parsed_target(target, kubectl, token_file)
        except InvalidTarget as error:
            raise click.BadParameter(str(error), param_hint="TARGET") from error
        function(meant, **others)

    return with_target


def with_output(
    *formats: Literal["json", "yaml", "wide", "name"], default: str = "a table for people"
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Add `-o`, with what has a meaning for this verb."""
    return click.option("-o", "--output", type=click.Choice(formats), help=f"Default: {default}.")
