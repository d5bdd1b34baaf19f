"""Which file does a verb look at: one that is here, or one that has to be pulled first?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dormouse.cluster.kubectl import Kubectl

if TYPE_CHECKING:
    from dormouse.replica.current import Current, Position
    from dormouse_observer.manifest import Manifest
    from dormouse_observer.whereabouts import Whereabouts


class _Moment(click.ParamType[Any]):
    """`epoch/txid`, or a time with its zone."""

    name = "position or time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Position | datetime:
        from dormouse.replica.current import Position

        try:
            found = Position.parse(value) if "/" in value else datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or (isinstance(found, datetime) and found.tzinfo is None):
            self.fail(
                f"{value!r} is neither a position such as 3/41 nor a time such as 2026-05-01T12:00:00Z", param, ctx
            )
        if isinstance(found, datetime) and found > datetime.now(UTC):
            self.fail(f"{value} lies in the future", param, ctx)
        return found


@dataclass(frozen=True)
class Asked:
    """What is pulled, and how the store is reached, as the command line says it."""

    kubectl: Kubectl
    at: Position | datetime | None = None
    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: Path | None = None


def reaching_store(function: Callable[..., None]) -> Callable[..., None]:
    """Add how the store is reached."""
    options = (
        click.option("--endpoint", help="The store from here. Default: as the ObjectStore, or AWS_ENDPOINT_URL."),
        click.option("--region", help="Default: as the ObjectStore, or AWS_REGION, else us-east-1."),
        click.option(
            "--path-style/--virtual-hosted", default=None, help="Whether the bucket is in the path or the host name."
        ),
        click.option(
            "--ca-bundle",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Certificates to trust, in PEM. Default: as the ObjectStore, or AWS_CA_BUNDLE.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def from_store(function: Callable[..., None]) -> Callable[..., None]:
    """Add what to pull and how; the function is given an Asked in the place of its Kubectl."""

    @click.option("--at", type=_Moment(), help="epoch/txid, or a time with its zone. Default: the newest position.")
    @reaching_store
    @wraps(function)
    def with_asked(
        kubectl: Kubectl,
        at: Position | datetime | None,
        endpoint: str | None,
        region: str | None,
        *,
        path_style: bool | None,
        ca_bundle: Path | None,
        **others: Any,
    ) -> None:
        function(asked=Asked(kubectl, at, endpoint, region, path_style, ca_bundle), **others)

    return with_asked


def is_here(source: str) -> bool:
    """Whether it is a file or a folder, or can only be meant as one."""
    return "://" not in source and (Path(source).exists() or "/" in source or source.endswith((".sqlite", ".db")))


def is_any_pulled(sources: Sequence[str], asked: Asked) -> bool:
    """Whether something is not here. Raises UsageError when all is, and something was said of how to pull it."""
    if not all(map(is_here, sources)):
        return True
    if asked != Asked(asked.kubectl):
        raise click.UsageError("--at and the way to the store are for what is pulled: a NAME or a URL, not a file")
    return False


def whereabouts_of(source: str, asked: Asked, folder: Path) -> Whereabouts:
    """Where the data of a name or a URL is; certificates are written into the folder."""
    from dormouse_observer.whereabouts import Reach, by_name, by_url
    from dormouse_operator.store.url import InvalidURL

    reach = Reach(asked.endpoint, asked.region, asked.path_style, asked.ca_bundle)
    try:
        if "://" in source:
            return by_url(source, reach, os.environ)
        return by_name(source, reach, folder / "ca.pem", asked.kubectl)
    except InvalidURL as wrong:
        raise click.UsageError(str(wrong)) from wrong


def pulled(whereabouts: Whereabouts, asked: Asked, target: Path) -> tuple[Manifest, Current]:
    """Pull it."""
    import asyncio

    from dormouse_observer.pulling import pull

    return asyncio.run(pull(whereabouts, asked.at, target))


def brought_here(source: str, asked: Asked, folder: Path) -> Path:
    """The file of a name or a URL, pulled into the folder."""
    whereabouts = whereabouts_of(source, asked, folder)
    target = folder / f"{whereabouts.name}.sqlite"
    pulled(whereabouts, asked, target)
    return target
