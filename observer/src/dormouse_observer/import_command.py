"""`dormouse import`: a file into the store, for a new workflow to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TextIO

import click

from dormouse.commands.verb import Verb
from dormouse_observer.bringing import reaching_store


@click.command(
    "import",
    cls=Verb,
    examples=[
        "dormouse import mended.sqlite --to s3://bucket/shop --endpoint http://localhost:9000",
        "dormouse import mended.sqlite --to s3://bucket/shop --manifest orders.yaml --name orders-2 > new.yaml",
    ],
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--to", "url", required=True, metavar="URL", help="s3://BUCKET/[PREFIX/]NAMESPACE, as the ObjectStore has it."
)
@reaching_store
@click.option("--key", help="What it is called there. Default: the file's name with a part of its checksum.")
@click.option(
    "--manifest",
    type=click.File(),
    help="Print a whole DurableWorkflow like the one in this file, or, with -, on the standard input.",
)
@click.option("--name", help="Of that DurableWorkflow; another one than in the file.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="yaml", show_default=True)
def import_file(
    file: Path,
    url: str,
    key: str | None,
    manifest: TextIO | None,
    name: str | None,
    output: str,
    endpoint: str | None,
    region: str | None,
    *,
    path_style: bool | None,
    ca_bundle: Path | None,
) -> None:
    """Put FILE where a new DurableWorkflow of the namespace can begin with it, and print the `spec.restore` for that.

    It becomes a workflow of its own, with its own identity, and what is open in it is paused. A running workflow never
    takes a file in. With --manifest what is printed is all that has to be applied: nothing is taken over of how the old
    one began, nor what it starts.

    The keys are those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and have to let you write.
    """
    import asyncio

    from dormouse.commands.printing import document, say
    from dormouse_observer.forked_manifest import NotAlike, forked_manifest, workflow_in
    from dormouse_observer.importing import Imports
    from dormouse_observer.importing import import_file as imported
    from dormouse_operator.store.url import InvalidURL, located

    try:
        place = located(url, endpoint, region, path_style, ca_bundle, os.environ)
    except InvalidURL as wrong:
        raise click.UsageError(str(wrong)) from wrong
    into = Imports.below(place.location, place.prefix)
    if (manifest is None) != (name is None):
        raise click.UsageError("--manifest and --name belong together: like which one, and what the new one is called")

    def printed(from_object: dict[str, Any]) -> dict[str, Any]:
        if manifest is None:
            return {"spec": {"restore": {"fromObject": from_object}}}
        return forked_manifest(old, str(name), into.namespace, from_object)

    try:
        old = {} if manifest is None else workflow_in(manifest.read())
        printed({"key": "any", "sha256": "0" * 64})  # before anything is uploaded
    except (NotAlike, UnicodeDecodeError) as wrong:
        raise click.BadParameter(str(wrong), param_hint="--manifest") from wrong
    found = asyncio.run(imported(file, into, key))
    is_there = "was there already" if found.was_there else f"is there, {found.bytes:,} bytes"
    click.echo(
        f"{into.layout.imported(found.key)} {is_there}; a new DurableWorkflow in {into.namespace} begins with it by:",
        err=True,
    )
    say(document(printed({"key": found.key, "sha256": found.sha256}), output))
