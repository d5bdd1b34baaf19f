"""Which executions and workflows can be meant? What the shell offers, read from the TARGET that is typed already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from dormouse.cluster.kubectl import Kubectl
from dormouse.commands.target import FileTarget, NameTarget, Source, Target, parsed_target, reading
from dormouse.errors import DormouseError

if TYPE_CHECKING:
    from dormouse.client import Execution

_MOST = 1000
_CLUSTER_WITHIN_SECONDS = 3.0


def targets(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files, and the DurableWorkflows of the namespace."""
    # The files come first: bash begins anew with them.
    offered = [CompletionItem[str](incomplete, type="file")]
    if not {"/", ":", "."}.intersection(incomplete):
        offered += [CompletionItem[str](name) for name in _that_begin(incomplete, _workflow_names(ctx))]
    return offered


def workflow_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The DurableWorkflows of the namespace that begin like this."""
    return _that_begin(incomplete, _workflow_names(ctx))


def kubectl_of(ctx: click.Context) -> Kubectl:
    """The cluster that the options before the cursor mean; who presses TAB does not wait for long."""
    given = ctx.params
    return Kubectl(given.get("namespace"), given.get("context"), given.get("kubeconfig"), _CLUSTER_WITHIN_SECONDS)


def _workflow_names(ctx: click.Context) -> Sequence[str]:
    try:
        return kubectl_of(ctx).workflow_names()
    except DormouseError:
        return ()


def executions(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids that begin like this, the newest first."""
    return _that_begin(incomplete, (one.id for one in _listed(ctx)))


def executions_of(file: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """The same of the file that is given as this argument."""

    def offered(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        return _that_begin(incomplete, (one.id for one in _listed(ctx, file)))

    return offered


def events(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The positions of the execution's events, with what they are."""
    found: list[CompletionItem[str]] = []
    with suppress(DormouseError, click.ClickException):
        target = _target(ctx, "file")
        if isinstance(target, FileTarget):
            with reading(target) as source:
                history = source.history(ctx.params.get("execution") or _only_one(source))
            for one in history:
                what = " ".join(filter(None, [one.kind, one.name]))
                found.append(CompletionItem[str](str(one.position), help=what))
    return [item for item in found if item.value.startswith(incomplete)]


def _only_one(source: Source) -> str:
    """The execution that is meant where none is named."""
    ids = [one.id for one in source.executions(status=None, workflow=None, limit=2, after=None).executions]
    return ids[0] if len(ids) == 1 else ""


def workflows(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Workflows that begin like this, of which there are executions."""
    return _that_begin(incomplete, dict.fromkeys(one.workflow for one in _listed(ctx)))


def _that_begin(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _target(ctx: click.Context, parameter: str) -> Target:
    arguments = [one.name for one in ctx.command.params if isinstance(one, click.Argument)]
    # Behind an option that still lacks its value click has left the arguments unread.
    unread = dict(zip(arguments, ctx.args, strict=False))
    typed = ctx.params.get(parameter) or unread.get(parameter, "")
    return parsed_target(str(typed), kubectl_of(ctx), ctx.params.get("token_file"))


def _listed(ctx: click.Context, parameter: str = "target") -> Sequence[Execution]:
    """None where they cannot be had at once: nobody waits for a port at each TAB, or is told of an error by it."""
    try:
        target = _target(ctx, parameter)
        if isinstance(target, NameTarget):
            return []
        with reading(target) as source:
            return source.executions(status=None, workflow=None, limit=_MOST, after=None).executions
    except (DormouseError, click.ClickException):
        return []
