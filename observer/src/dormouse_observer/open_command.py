"""`dormouse open`: what happened, in a browser."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from dormouse.cluster.kubectl import Kubectl
from dormouse.commands.verb import Verb, on_cluster


@click.command(
    "open",
    cls=Verb,
    examples=[
        "dormouse open orders.sqlite",
        "dormouse open pulled --no-browser --port 8080",
        "dormouse open orders -n shop",
        "dormouse open s3://bucket/shop/orders --endpoint http://localhost:9000",
    ],
)
@click.argument("sources", metavar="FILE|DIR|NAME|URL...", nargs=-1, required=True)
@on_cluster
@click.option("--endpoint", help="Of URL's store. Default: as the ObjectStore, or AWS_ENDPOINT_URL.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any that is free.")
@click.option("--browser/--no-browser", default=True, help="Whether to open one.  [default: browser]")
def open_files(sources: tuple[str, ...], kubectl: Kubectl, endpoint: str | None, port: int, *, browser: bool) -> None:
    """Show executions in a browser: what each waits for, what it did and when, with which values.

    Files are only read, and the pages are for this machine alone. Of a folder all files *.sqlite are shown. NAME, a
    DurableWorkflow on the cluster of your kubectl, and URL, s3://BUCKET/[PREFIX/]NAMESPACE/NAME, are pulled first as
    `dormouse pull` does it, into a temporary folder. It runs until Ctrl-C.
    """
    from dormouse.commands.printing import say
    from dormouse.encryption import AesGcm
    from dormouse_observer.web.library import Library
    from dormouse_observer.web.serving import HOST, listening, serve

    pulls = False
    with ExitStack() as opened:
        paths: list[Path] = []
        for source in sources:
            if _is_here(source):
                paths += _files(source)
            else:
                pulls = True
                folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="dormouse-open-"))
                paths.append(_pulled(source, kubectl, endpoint, Path(folder)))
        library = Library(paths, AesGcm.from_environment())
        opened.callback(library.close)
        library.check()
        listener = opened.enter_context(listening(port))
        url = f"http://{HOST}:{listener.getsockname()[1]}/"

        def ready() -> None:
            say(f"{_named(paths)} on {url} (Ctrl-C ends it)")
            sys.stdout.flush()
            if browser:
                webbrowser.open(url)

        serve(library, listener, ready)
    if pulls:
        sys.stdout.flush()
        sys.stderr.flush()
        # At once: a thread of the S3 client may abort a process that is taking itself apart.
        os._exit(0)


def _is_here(source: str) -> bool:
    return "://" not in source and (Path(source).exists() or "/" in source or source.endswith((".sqlite", ".db")))


def _files(source: str) -> list[Path]:
    from dormouse_observer.replaying import files_of

    return files_of([Path(source)])


def _pulled(source: str, kubectl: Kubectl, endpoint: str | None, folder: Path) -> Path:
    import asyncio

    from dormouse_observer.pulling import pull
    from dormouse_observer.whereabouts import Reach, by_name, by_url
    from dormouse_operator.store.url import InvalidURL

    reach = Reach(endpoint)
    try:
        if "://" in source:
            whereabouts = by_url(source, reach, os.environ)
        else:
            whereabouts = by_name(source, reach, folder / "ca.pem", kubectl)
    except InvalidURL as wrong:
        raise click.UsageError(str(wrong)) from wrong
    target = folder / f"{whereabouts.name}.sqlite"
    asyncio.run(pull(whereabouts, None, target))
    return target


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
