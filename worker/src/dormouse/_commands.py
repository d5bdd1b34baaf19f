"""Which verbs does `dormouse` have? Its own, and those of the entry-point group `dormouse.commands`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# Looking for entry points costs as much as starting Python, so what this distribution brings is simply known.
_OWN = {
    "approvals": ("dormouse.commands.approvals", "approvals"),
    "approve": ("dormouse.commands.approvals", "approve"),
    "cancel": ("dormouse.commands.ending", "cancel"),
    "dev": ("dormouse_operator.dev.command", "dev"),
    "history": ("dormouse.commands.reading", "history"),
    "lint": ("dormouse.commands.lint", "lint"),
    "list": ("dormouse.commands.reading", "list_executions"),
    "operator": ("dormouse_operator.controller.command", "operator"),
    "query": ("dormouse.commands.messages", "query"),
    "reject": ("dormouse.commands.approvals", "reject"),
    "result": ("dormouse.commands.reading", "result"),
    "retry": ("dormouse.commands.ending", "retry"),
    "run": ("dormouse.commands.run", "run"),
    "show": ("dormouse.commands.reading", "show"),
    "signal": ("dormouse.commands.messages", "signal"),
    "start": ("dormouse.commands.start", "start"),
    "terminate": ("dormouse.commands.ending", "terminate"),
    "update": ("dormouse.commands.messages", "update"),
}


def _of_other_packages() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group="dormouse.commands")}


class Verbs(click.Group):
    """Loads only the verb that was asked for, so that each pays for its own imports alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_OWN, *_of_other_packages()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        try:
            command = _load(cmd_name)
        except ModuleNotFoundError as missing:
            extra = cmd_name if cmd_name in {"dev", "operator"} else "cli"
            raise click.ClickException(
                f"`dormouse {cmd_name}` needs the module {missing.name!r}: pip install 'dormouse[{extra}]'"
            ) from missing
        if command is not None and not isinstance(command, click.Command):
            raise click.ClickException(f"the entry point `{cmd_name}` of dormouse.commands is no click command")
        return command


def _load(name: str) -> object:
    if name in _OWN:
        module, attribute = _OWN[name]
        return getattr(import_module(module), attribute)
    found = _of_other_packages().get(name)
    return None if found is None else found.load()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="dormouse", prog_name="dormouse")
def root() -> None:
    """Durable workflows that live in one SQLite file each."""
