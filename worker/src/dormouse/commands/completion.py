"""Which executions and workflows can be meant? What the shell offers, read from the TARGET that is typed already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from dormouse.commands.target import NameTarget, reading
from dormouse.commands.verb import parsed_target
from dormouse.errors import DormouseError

if TYPE_CHECKING:
    from dormouse.client import Execution

_MOST = 1000


def executions(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids that begin like this, the newest first."""
    return _that_begin(incomplete, (one.id for one in _listed(ctx)))


def workflows(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Workflows that begin like this, of which there are executions."""
    return _that_begin(incomplete, dict.fromkeys(one.workflow for one in _listed(ctx)))


def _that_begin(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _listed(ctx: click.Context) -> Sequence[Execution]:
    """None where they cannot be had at once: nobody waits for kubectl at each TAB, or is told of an error by it."""
    given = ctx.params
    # Behind an option that still lacks its value click has left the arguments unread.
    typed = given.get("target") or next(iter(ctx.args), "")
    try:
        target = parsed_target(typed, given.get("namespace"), given.get("token_file"))
        if isinstance(target, NameTarget):
            return []
        with reading(target) as source:
            return source.executions(status=None, workflow=None, limit=_MOST, after=None).executions
    except (DormouseError, click.ClickException):
        return []
