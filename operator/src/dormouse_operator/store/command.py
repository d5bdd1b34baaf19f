"""`dormouse store`: what can a person ask about a store?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dormouse_operator.store.url import Place


@click.group()
def store() -> None:
    """Look into an object store."""


def _names_a_place(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options that say which store, where in it, and how it is reached."""
    options = (
        click.argument("url"),
        click.option(
            "--endpoint",
            help="The store, as http(s)://host[:port]. Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else AWS.",
        ),
        click.option("--region", help="Default: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1."),
        click.option(
            "--path-style/--virtual-hosted",
            default=None,
            help="Whether the bucket is in the path or the host name. Default: in the path, if there is an endpoint.",
        ),
        click.option(
            "--ca-bundle",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Certificates to trust, in PEM. Default: AWS_CA_BUNDLE.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@store.command()
@_names_a_place
@click.option("--claimants", type=click.IntRange(2, 64), default=4, show_default=True, help="Writers in each race.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=16, show_default=True, help="Races.")
@click.option("--kms-key-id", help="The key of spec.serverSideEncryption. Default: as the bucket encrypts by itself.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Default: a table for people.")
def probe(
    url: str,
    endpoint: str | None,
    region: str | None,
    path_style: bool | None,
    ca_bundle: Path | None,
    claimants: int,
    rounds: int,
    kms_key_id: str | None,
    output: str | None,
) -> None:
    """Say whether a store keeps what workflows rest on.

    URL is s3://BUCKET or s3://BUCKET/PREFIX. The keys are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN. Writes some small objects below PREFIX/.dormouse-probe and removes them again. Exit code 0: it
    may be used; 1: it may not; 4: it could not be asked.
    """
    # Imported late: `dormouse --help` and wrong options need none of it.
    import asyncio

    from dormouse.commands.printing import say
    from dormouse.commands.verb import REFUSED, UNREACHABLE
    from dormouse_operator.store.check import report_text, verdict
    from dormouse_operator.store.examining import Unaskable, examine
    from dormouse_operator.store.probe import Races

    place = _place(url, endpoint, region, path_style, ca_bundle, kms_key_id)
    try:
        checks = asyncio.run(examine(place, Races(rounds, claimants)))
    except Unaskable as failed:
        click.echo(f"Error: {failed}", err=True)
        sys.exit(UNREACHABLE)
    say(report_text(url, checks, output))
    sys.exit(0 if verdict(checks) == "suitable" else REFUSED)


@store.command()
@_names_a_place
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml"]), help="Default: a table for people.")
def check(
    url: str,
    endpoint: str | None,
    region: str | None,
    path_style: bool | None,
    ca_bundle: Path | None,
    output: str | None,
) -> None:
    """Say what in a store belongs to no workflow, or is not as its workflow left it.

    URL is s3://BUCKET or s3://BUCKET/PREFIX. The keys are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN. Only reads. Exit code 0: nothing has to be done; 1: something has; 4: it could not be asked.
    """
    import asyncio

    from dormouse.commands.printing import say
    from dormouse.commands.verb import REFUSED, UNREACHABLE
    from dormouse_operator.store.examining import Unaskable
    from dormouse_operator.store.inspection import inspect, inspection_text

    place = _place(url, endpoint, region, path_style, ca_bundle)
    try:
        inspection = asyncio.run(inspect(url, place))
    except Unaskable as failed:
        click.echo(f"Error: {failed}", err=True)
        sys.exit(UNREACHABLE)
    say(inspection_text(inspection, output))
    sys.exit(REFUSED if inspection.problems else 0)


def _place(
    url: str,
    endpoint: str | None,
    region: str | None,
    path_style: bool | None,
    ca_bundle: Path | None,
    kms_key_id: str | None = None,
) -> Place:
    from dormouse_operator.store.url import InvalidURL, located

    try:
        return located(url, endpoint, region, path_style, ca_bundle, os.environ, kms_key_id)
    except InvalidURL as wrong:
        raise click.UsageError(str(wrong)) from wrong
