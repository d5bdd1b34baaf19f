"""`dormouse pull`: a workflow's database as a file, from the store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb, on_cluster
from dormouse_observer.bringing import Asked, from_store, pulled, whereabouts_of


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
@from_store
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; its manifest is put beside it as FILE.json. Default: NAME.sqlite here.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def pull(workflow: str, asked: Asked, file: Path | None, *, force: bool) -> None:
    """Bring a workflow's database here as a file, with every page checked.

    NAME is a DurableWorkflow on the cluster of your kubectl, whose ObjectStore and Secret you may read; URL is
    s3://BUCKET/[PREFIX/]NAMESPACE/NAME, with the keys of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Only the store
    is asked, and only read: the pod does not notice, and need not be there. Look into the file with the verbs that
    take one: `dormouse list FILE`, `dormouse show FILE ID`, `dormouse replay FILE --code DIR`.
    """
    from dormouse.commands.printing import say
    from dormouse_observer.manifest import behind, manifest_text

    with tempfile.TemporaryDirectory(prefix="dormouse-pull-") as folder:
        whereabouts = whereabouts_of(workflow, asked, Path(folder))
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
        manifest, current = pulled(whereabouts, asked, target)
    say(manifest_text(manifest, behind(manifest, current), str(target)))
