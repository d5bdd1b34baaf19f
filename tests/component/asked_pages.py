"""How does a test ask for a page? As a browser would, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dormouse.engine.sealing import Codec
from dormouse_observer.web.app import Pages
from dormouse_observer.web.library import Library
from dormouse_observer.web.prices import PriceList


class Client:
    """Asks the application as a browser would, over ASGI."""

    def __init__(self, library: Library, prices: PriceList | None) -> None:
        transport = httpx.ASGITransport(Pages(library, prices).app(), raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1234", follow_redirects=True)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._http.get(path, **options))

    def send(self, method: str, path: str) -> httpx.Response:
        return asyncio.run(self._http.request(method, path))


@contextmanager
def asking(*files: Path, codec: Codec | None = None, prices: PriceList | None = None) -> Iterator[Client]:
    library = Library(files, codec)
    library.check()
    try:
        yield Client(library, prices)
    finally:
        library.close()
