"""`dormouse pull`: a workflow's database as a file, from the store."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dormouse.cluster.kubectl import Kubectl
from dormouse.commands import completion
from dormouse.commands.verb import Verb, on_cluster

if TYPE_CHECKING:
    from dormouse.replica.current import Position


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


@click.command(
    cls=Verb,
    examples=[
        "dormouse pull orders",
        "dormouse pull orders -n shop --at 2026-05-01T12:00:00Z -o before.sqlite",
        "dormouse pull s3://bucket/shop/orders --endpoint http://localhost:9000",
    ],
)
@click.argument("workflow", metavar="NAME|URL", shell_complete=completion.workflow_names)
@on_cluster
@click.option("--at", type=_Moment(), help="epoch/txid, or a time with its zone. Default: the newest position.")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; its manifest is put beside it as FILE.json. Default: NAME.sqlite here.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--endpoint", help="The store from here. Default: as the ObjectStore, or AWS_ENDPOINT_URL.")
@click.option("--region", help="Default: as the ObjectStore, or AWS_REGION, else us-east-1.")
@click.option("--path-style/--virtual-hosted", default=None, help="Whether the bucket is in the path or the host name.")
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates to trust, in PEM. Default: as the ObjectStore, or AWS_CA_BUNDLE.",
)
def pull(
    workflow: str,
    kubectl: Kubectl,
    at: Position | datetime | None,
    file: Path | None,
    *,
    force: bool,
    endpoint: str | None,
    region: str | None,
    path_style: bool | None,
    ca_bundle: Path | None,
) -> None:
    """Bring a workflow's database here as a file, with every page checked.

    NAME is a DurableWorkflow on the cluster of your kubectl, whose ObjectStore and Secret you may read; URL is
    s3://BUCKET/[PREFIX/]NAMESPACE/NAME, with the keys of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Only the store
    is asked, and only read: the pod does not notice, and need not be there. Look into the file with the verbs that
    take one: `dormouse list FILE`, `dormouse show FILE ID`, `dormouse replay FILE --code DIR`.
    """
    import asyncio

    from dormouse.commands.printing import say
    from dormouse_observer.manifest import behind, manifest_text
    from dormouse_observer.pulling import pull as pulled
    from dormouse_observer.whereabouts import Reach, by_name, by_url
    from dormouse_operator.store.url import InvalidURL

    reach = Reach(endpoint, region, path_style, ca_bundle)
    with tempfile.TemporaryDirectory(prefix="dormouse-pull-") as folder:
        if "://" in workflow:
            try:
                whereabouts = by_url(workflow, reach, os.environ)
            except InvalidURL as wrong:
                raise click.UsageError(str(wrong)) from wrong
        else:
            whereabouts = by_name(workflow, reach, Path(folder) / "ca.pem", kubectl)
        target = file or Path(f"{whereabouts.name}.sqlite")
        if target.exists() and not force:
            raise click.BadParameter(f"{target} is there already; choose another, or --force", param_hint="-o")
        wal = target.with_name(f"{target.name}-wal")
        if wal.exists() and wal.stat().st_size:
            # SQLite would take what it holds for the newest part of the new file.
            raise click.BadParameter(
                f"{wal} is there: {target} is in use, or was when its process was killed; choose another",
                param_hint="-o",
            )
        if not target.parent.is_dir():
            raise click.BadParameter(f"there is no folder {target.parent}", param_hint="-o")
        manifest, current = asyncio.run(pulled(whereabouts, at, target))
    say(manifest_text(manifest, behind(manifest, current), str(target)))
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: a thread of the S3 client may abort a process that is taking itself apart.
    os._exit(0)
