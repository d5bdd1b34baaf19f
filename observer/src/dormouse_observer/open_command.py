"""`dormouse open`: what happened, in a browser."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dormouse.commands import completion
from dormouse.commands.verb import Verb, on_cluster
from dormouse_observer.bringing import Asked, brought_here, from_store, is_any_pulled, is_here
from dormouse_observer.pricing_option import with_prices

if TYPE_CHECKING:
    from dormouse_observer.web.prices import PriceList


@click.command(
    "open",
    cls=Verb,
    examples=[
        "dormouse open orders.sqlite",
        "dormouse open pulled --no-browser --port 8080",
        "dormouse open agent.sqlite --prices prices.toml",
        "dormouse open orders -n shop --at 2026-05-01T12:00:00Z",
        "dormouse open s3://bucket/shop/orders --endpoint http://localhost:9000",
    ],
)
@click.argument("sources", metavar="FILE|DIR|NAME|URL...", nargs=-1, required=True, shell_complete=completion.targets)
@on_cluster
@from_store
@with_prices
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any that is free.")
@click.option("--browser/--no-browser", default=True, help="Whether to open one.  [default: browser]")
def open_files(sources: tuple[str, ...], asked: Asked, prices: PriceList | None, port: int, *, browser: bool) -> None:
    """Show executions in a browser: what each waits for, what it did and when, with which values.

    Files are only read, and the pages are for this machine alone. Of a folder all files *.sqlite are shown. NAME, a
    DurableWorkflow on the cluster of your kubectl, and URL, s3://BUCKET/[PREFIX/]NAMESPACE/NAME, are pulled first as
    `dormouse pull` does it, into a temporary folder. It runs until Ctrl-C.
    """
    from dormouse.commands.printing import say
    from dormouse.encryption import AesGcm
    from dormouse_observer.web.library import Library
    from dormouse_observer.web.serving import HOST, listening, serve

    is_any_pulled(sources, asked)  # refuses what makes no sense together
    with ExitStack() as opened:
        paths: list[Path] = []
        for source in sources:
            if is_here(source):
                paths += _files(source)
            else:
                folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="dormouse-open-"))
                paths.append(brought_here(source, asked, Path(folder)))
        library = Library(paths, AesGcm.from_environment())
        opened.callback(library.close)
        for problem in library.check():
            click.echo(f"not shown: {problem}", err=True)
        listener = opened.enter_context(listening(port))
        url = f"http://{HOST}:{listener.getsockname()[1]}/"

        def ready() -> None:
            say(f"{_named(paths)} on {url} (Ctrl-C ends it)")
            sys.stdout.flush()
            if browser:
                webbrowser.open(url)

        serve(library, listener, ready, prices)


def _files(source: str) -> list[Path]:
    from dormouse_observer.named_files import files_of

    return files_of([Path(source)])


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
