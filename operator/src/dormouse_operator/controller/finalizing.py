"""How is an object's deletion made to wait, and how is the object let go?"""

from __future__ import annotations

from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.resources import Document, Resource, key_of


async def set_finalizer(
    api: ApiServer, resource: Resource, document: Document, finalizer: str, *, is_held: bool
) -> Document:
    """The object as it is then; nothing is written when that changes nothing. Raises Conflict when it is another."""
    metadata = document["metadata"]
    before = list(metadata.get("finalizers") or ())
    others = [each for each in before if each != finalizer]
    wanted = [*others, finalizer] if is_held else others
    if sorted(wanted) == sorted(before):
        return document
    patch = {"metadata": {"finalizers": wanted, **{name: metadata[name] for name in ("uid", "resourceVersion")}}}
    return await api.merge(resource, *key_of(document), patch)


def is_gone(document: Document) -> bool:
    """Whether its deletion waited for nobody else."""
    metadata = document["metadata"]
    return bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")
