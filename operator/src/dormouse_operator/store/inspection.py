"""How is a store looked through, and how is it told? Everything of `dormouse store check` that is no decision."""

from __future__ import annotations

from msgspec import Struct
from obstore.exceptions import BaseError

from dormouse.replica.current import Current, CurrentMalformed, decode
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3
from dormouse.replica.store import StoredObject, StoreError
from dormouse_operator.store.examining import Unaskable
from dormouse_operator.store.inspecting import NOTES, Finding, Inventory, findings
from dormouse_operator.store.url import Place

_ANSWERED_WITHIN_SECONDS = 20.0


class Inspection(Struct, frozen=True):
    """What programs read."""

    url: str
    workflows: int
    findings: list[Finding]

    @property
    def problems(self) -> int:
        return sum(finding.kind not in NOTES for finding in self.findings)


async def inspect(url: str, place: Place) -> Inspection:
    """List everything once, and read each CURRENT.

    Raises:
        Unaskable: when the store does not answer, or does not let these keys in.
    """
    inventory, records = Inventory(), dict[str, Current | str | None]()
    try:
        store = S3(place.location, _ANSWERED_WITHIN_SECONDS)
        async for listed in store.objects(place.prefix):
            inventory.add(listed.key, listed.size)
        for name, root in inventory.roots.items():
            records[name] = await _read(store, Layout(name).current) if root.has_current else None
    except (StoreError, ValueError, OSError, BaseError) as failed:
        raise Unaskable(f"{url} cannot be looked through: {str(failed).partition(chr(10))[0]}") from failed
    return Inspection(url, len(inventory.roots), list(findings(inventory, records)))


async def _read(store: S3, key: str) -> Current | str | None:
    found = await store.get(key)
    if not isinstance(found, StoredObject):
        return None
    try:
        return decode(found.data)
    except CurrentMalformed as malformed:
        return str(malformed)


def inspection_text(inspection: Inspection, output: str | None) -> str:
    """For people, or as JSON or YAML. `wide` also shows how much each holds."""
    from dormouse.commands.printing import document, table

    if output in ("json", "yaml"):
        return document(inspection, output)
    notes = len(inspection.findings) - inspection.problems
    said = f"{inspection.workflows} workflows, {inspection.problems} problems, {notes} notes below {inspection.url}"
    if not inspection.findings:
        return said
    is_wide = output == "wide"
    heads = ["WHERE", "KIND", *(["OBJECTS", "BYTES"] if is_wide else []), "DETAILS"]
    rows = [
        [one.where, one.kind, *([str(one.objects), str(one.bytes)] if is_wide else []), one.message]
        for one in inspection.findings
    ]
    return f"{table([heads, *rows], cut=False)}\n\n{said}"
