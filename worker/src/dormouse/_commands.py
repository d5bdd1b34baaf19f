"""Which verbs does `dormouse` have? Its own, and those of the entry-point group `dormouse.commands`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dormouse.extras import installed_by

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# Looking for entry points costs as much as starting Python, so what this distribution brings is simply known.
_OWN = {
    "approvals": ("dormouse.commands.approvals", "approvals"),
    "approve": ("dormouse.commands.approvals", "approve"),
    "cancel": ("dormouse.commands.ending", "cancel"),
    "debug": ("dormouse_observer.debugging.command", "debug"),
    "dev": ("dormouse_operator.dev.command", "dev"),
    "diff": ("dormouse_observer.diff_command", "diff"),
    "doctor": ("dormouse.commands.doctor", "doctor"),
    "drill": ("dormouse.commands.drill", "drill"),
    "exec": ("dormouse.commands.exec", "execute"),
    "export": ("dormouse_observer.exporting.command", "export"),
    "fork": ("dormouse_observer.forking.command", "fork"),
    "history": ("dormouse.commands.reading", "history"),
    "import": ("dormouse_observer.import_command", "import_file"),
    "lint": ("dormouse.commands.lint", "lint"),
    "list": ("dormouse.commands.reading", "list_executions"),
    "logs": ("dormouse.commands.logs", "logs"),
    "open": ("dormouse_observer.open_command", "open_files"),
    "operator": ("dormouse_operator.controller.command", "operator"),
    "pull": ("dormouse_observer.pull_command", "pull"),
    "query": ("dormouse.commands.messages", "query"),
    "reject": ("dormouse.commands.approvals", "reject"),
    "replay": ("dormouse_observer.replay_command", "replay"),
    "report": ("dormouse_observer.reporting.command", "report"),
    "result": ("dormouse.commands.reading", "result"),
    "resume": ("dormouse.commands.suspending", "resume"),
    "retry": ("dormouse.commands.ending", "retry"),
    "run": ("dormouse.commands.run", "run"),
    "show": ("dormouse.commands.reading", "show"),
    "signal": ("dormouse.commands.messages", "signal"),
    "sql": ("dormouse_observer.sql_command", "sql"),
    "start": ("dormouse.commands.start", "start"),
    "status": ("dormouse.commands.status", "status"),
    "suspend": ("dormouse.commands.suspending", "suspend"),
    "store": ("dormouse_operator.store.command", "store"),
    "terminate": ("dormouse.commands.ending", "terminate"),
    "tree": ("dormouse_observer.tree_command", "tree"),
    "update": ("dormouse.commands.messages", "update"),
}

_EXTRAS = {
    "dev": "dev",
    "export": "observer",
    "import": "observer",
    "open": "observer",
    "operator": "operator",
    "pull": "observer",
    "report": "observer",
    "store": "operator",
}
"""Those that need more than the command line itself does."""


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
        if cmd_name in _OWN:
            return _own(cmd_name)
        found = _of_other_packages().get(cmd_name)
        return None if found is None else _of_package(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as unknown:
            # click itself compares only with those that are loaded
            raise click.exceptions.NoSuchCommand(
                unknown.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from unknown

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:
            verb = ctx.invoked_subcommand
            if verb not in _OWN:
                raise  # what another package needs, no extra of ours has
            raise click.ClickException(_misses(verb, missing)) from missing


class _Unusable(click.Command):
    """A verb that cannot run, and says why when it should; the others are listed and run all the same."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, short_help="(cannot run here)", context_settings={"ignore_unknown_options": True})
        self.params = [click.Argument(["arguments"], nargs=-1)]
        self._why = why

    def invoke(self, ctx: click.Context) -> NoReturn:  # noqa: ARG002 - click's name
        raise click.ClickException(self._why)


def _own(name: str) -> click.Command:
    module, attribute = _OWN[name]
    try:
        command: click.Command = getattr(import_module(module), attribute)
    except ModuleNotFoundError as missing:
        return _Unusable(name, _misses(name, missing))
    return command


def _misses(verb: str, missing: ModuleNotFoundError) -> str:
    return f"`dormouse {verb}` needs the module {missing.name!r}: {installed_by(_EXTRAS.get(verb, 'cli'))}"


def _of_package(found: EntryPoint) -> click.Command:
    package = "another package" if found.dist is None else f"the package {found.dist.name}"
    try:
        command = found.load()
    except (ImportError, AttributeError) as error:
        return _Unusable(found.name, f"`dormouse {found.name}` of {package} does not load: {error}")
    if not isinstance(command, click.Command):
        return _Unusable(found.name, f"`dormouse {found.name}` of {package} is no click command, but {command!r}")
    return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="dormouse", prog_name="dormouse")
def root() -> None:
    """Durable workflows that live in one SQLite file each."""
