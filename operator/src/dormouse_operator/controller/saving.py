"""How does a status get to the API server? One merge patch for each change, and none when nothing changed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import msgspec

from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.resources import Document, Resource, key_of, version_of

_REMEMBERED = 20_000
"""Of more objects than that, some are written once more."""


def status_patch(document: Document, status: msgspec.Struct) -> Document | None:
    """What turns the document's status into this one, on the condition that the document is still as it was read.

    Fields that the status has no name for stay: a newer operator wrote them.
    """
    before: Document = document.get("status") or {}
    # As JSON would have it: a tuple never equals the list that the API server answers with.
    after: Document = msgspec.json.decode(msgspec.json.encode(status))
    changed: dict[str, Any] = {name: value for name, value in after.items() if before.get(name) != value}
    ours = status.__struct_encode_fields__
    changed |= dict.fromkeys(name for name in ours if name in before and name not in after)
    if not changed:
        return None
    metadata = {"uid": document["metadata"]["uid"], "resourceVersion": document["metadata"]["resourceVersion"]}
    return {"metadata": metadata, "status": changed}


class StatusWriter:
    """Remembers what it sent: what the API server made of it is not sent once more for the same version."""

    def __init__(self, api: ApiServer, resource: Resource) -> None:
        """Writes the status subresource of one kind."""
        self._api = api
        self._resource = resource
        self._sent: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    async def save(self, document: Document, status: msgspec.Struct) -> Document | None:
        """The document with the new status; None when there was nothing to write. Raises ApiError."""
        patch = status_patch(document, status)
        uid = document["metadata"]["uid"]
        if patch is None:
            return None
        digest = hashlib.blake2b(msgspec.json.encode(status), digest_size=16).digest()
        if self._sent.get(uid) == (version_of(document), digest):
            return None
        namespace, name = key_of(document)
        saved = await self._api.merge(self._resource, namespace, name, patch, "status")
        self._sent[uid] = (version_of(saved), digest)
        self._sent.move_to_end(uid)
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        return saved
