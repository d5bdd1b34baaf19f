"""Which verbs does `dormouse` have? Those of the entry-point group `dormouse.commands`, loaded when called."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

import click


def _found() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group="dormouse.commands")}


class Verbs(click.Group):
    """Loads only the verb that was asked for, so that each pays for its own imports alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_found()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = _found().get(cmd_name)
        if found is None:
            return None
        try:
            command: Any = found.load()
        except ModuleNotFoundError as missing:
            raise click.ClickException(
                f"`dormouse {cmd_name}` needs the module {missing.name!r}; install it with: pip install 'dormouse[dev]'"
            ) from missing
        assert isinstance(command, click.Command)  # noqa: S101 - an entry point of this group is a click command
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("dormouse"), "-V", "--version", prog_name="dormouse")
def root() -> None:
    """Durable workflows that live in one SQLite file each."""
