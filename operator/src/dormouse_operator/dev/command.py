"""`dormouse dev`: what can be asked for on the command line?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(epilog="\b\nExample:\n  dormouse dev -f dormouse.yaml --until-complete")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A manifest file (YAML): DurableWorkflow, ObjectStore, Secret, ConfigMap. May be given more than once.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The HTTP port of the first workflow. Default: a free one.")
@click.option(
    "--store-port", type=click.IntRange(1, 65535), help="The port of the local S3 server. Default: a free one."
)
@click.option(
    "--until-complete",
    "--once",
    "until_complete",
    is_flag=True,
    help="End when every workflow is Completed. Exit code 1 when one failed or is stalled.",
)
@click.option("-q", "--quiet", is_flag=True, help="Tell only what is wrong.")
def dev(files: tuple[Path, ...], port: int | None, store_port: int | None, until_complete: bool, quiet: bool) -> None:
    """Run workflows on this machine, as a cluster would.

    Applies the manifests, plans pods with the operator's own core and runs them as local processes. An
    ObjectStore named `local` that no file defines is an S3 server that is started here. Everything lives in
    `.dormouse` beside the first file. Edits of the files are applied; Ctrl-C ends well; what was killed goes
    on at the next start.
    """
    # Imported late: `dormouse --help` and wrong options need none of it.
    import asyncio

    from dormouse_operator.dev.display import Display
    from dormouse_operator.dev.manifests import ManifestError
    from dormouse_operator.dev.seaweedfs import StoreError
    from dormouse_operator.dev.session import Options, Session
    from dormouse_operator.dev.state import StateError, locked

    display = Display(sys.stdout, is_quiet=quiet, has_colours=not os.environ.get("NO_COLOR"))
    options = Options(files=files, store_port=store_port, port=port, until_complete=until_complete)
    folder = files[0].absolute().parent / ".dormouse"
    try:
        with locked(folder):
            code = asyncio.run(Session(options, folder, display).run())
    except (ManifestError, StateError, StoreError) as wrong:
        raise click.ClickException(str(wrong)) from wrong
    sys.exit(code)
