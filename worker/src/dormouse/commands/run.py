"""`dormouse run`: one runtime on this machine, with a file and without Kubernetes or S3."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dormouse.commands.verb import Verb
from dormouse.logs import FORMATS, Format


@click.command(cls=Verb, examples=["dormouse run orders.py"])
@click.argument("module")
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The SQLite file; made when it is missing. Default: MODULE.sqlite here.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 is a free one.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Only who shows a token of this file is answered. One on each line; read again when it changes.",
)
@click.option("--without-token", is_flag=True, help="Listen beyond this machine and answer everybody.")
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How its log is written to the standard error.",
)
@click.option("--keep-count", type=click.IntRange(0), help="Delete all closed executions but the newest so many.")
@click.option("--keep-seconds", type=click.FloatRange(0), help="Delete executions so long after they closed.")
@click.option("--telemetry", is_flag=True, help="Send traces over OTLP, as the OTEL_ variables say.")
def run(
    module: str,
    database: Path | None,
    host: str,
    port: int,
    token_file: Path | None,
    log_format: Format,
    *,
    without_token: bool,
    keep_count: int | None,
    keep_seconds: float | None,
    telemetry: bool,
) -> None:
    """Run the workflows of MODULE: a Python file, or a module's name.

    What an earlier run left open goes on. Ctrl-C ends it well; after a kill the next run goes on as well.
    """
    # Imported late: `dormouse --help` and wrong options need none of it.
    import asyncio

    from dormouse.commands.standalone import CannotRun, Standalone
    from dormouse.encryption import AesGcm
    from dormouse.engine.retention import Retention
    from dormouse.runtime.tracing import telemetry_for

    if token_file is None and not without_token and not is_loopback(host):
        raise click.UsageError(
            f"whoever reaches {host} could start executions; give a --token-file, or say --without-token"
        )
    folder, name = _split(module)
    standalone = Standalone(
        module=name,
        folder=folder,
        database=database or Path(f"{name}.sqlite"),
        host=host,
        port=port,
        token_file=token_file,
        log_format=log_format,
        say=click.echo,
        codec=AesGcm.from_environment(),
        telemetry=telemetry_for(name, None) if telemetry else None,
        retention=None if keep_count is None and keep_seconds is None else Retention(keep_count, keep_seconds),
    )
    try:
        asyncio.run(standalone.run())
    except CannotRun as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.flush()


def is_loopback(host: str) -> bool:
    """Whether nobody from another machine can get there. A name that is not `localhost` could be anybody's."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(module: str) -> tuple[Path, str]:
    """Where it is imported from, and its name."""
    if not module.endswith(".py"):
        if "/" in module or not all(module.split(".")):
            raise click.BadParameter(
                f"{module!r} is neither a Python file, such as orders.py, nor a module's name", param_hint="MODULE"
            )
        return Path.cwd(), module
    path = Path(module)
    if not path.is_file():
        raise click.BadParameter(f"there is no file {module}", param_hint="MODULE")
    return path.parent.absolute(), path.stem
