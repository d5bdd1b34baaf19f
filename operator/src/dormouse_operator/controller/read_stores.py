"""What are the ObjectStores with their types? Each is read once for the steps of all workflows that name it."""

from __future__ import annotations

import logging

from dormouse_operator.api import InvalidManifest, ObjectStore
from dormouse_operator.controller.cache import Cache
from dormouse_operator.controller.resources import Key
from dormouse_operator.controller.store_status import read_store

log = logging.getLogger(__name__)


class ReadStores:
    """Those of a cache, as they are there now."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._read: dict[Key, tuple[bytes, ObjectStore]] = {}

    def get(self, key: Key) -> ObjectStore | None:
        """None when there is none, or it cannot be read."""
        text, known = self._cache.text(key), self._read.get(key)
        if known is not None and known[0] == text:
            return known[1]
        self._read.pop(key, None)
        document = self._cache.get(key)
        if text is None or document is None:
            return None
        try:
            store = read_store(document)
        except InvalidManifest as invalid:
            log.warning("%s", invalid)
            return None
        self._read[key] = (text, store)
        return store
