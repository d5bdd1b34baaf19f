"""What do the objects of one kind look like, as far as the watches told? An absence here is no evidence.

Each is kept as the bytes of its JSON, which take a tenth of what its dictionaries would: of ten thousand workflows with
their pods 40 MiB. To read one again takes some microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from dormouse_operator.controller.resources import Document, Key, key_of, version_of

_REMEMBERED_DELETIONS = 10_000


@dataclass(frozen=True, slots=True)
class _Kept:
    uid: str
    version: int
    group: str
    text: bytes

    def document(self) -> Document:
        return msgspec.json.decode(self.text, type=Document)


class Cache:
    """Takes events in any order: an older version never replaces a newer one, what was deleted comes back by no event
    of before.

    A watch by labels tells that an object is deleted when it only lost one: it is there again with its next version.
    """

    def __init__(
        self,
        group_of: Callable[[Document], str] = lambda _: "",
        part_of: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        """`group_of` names the group that a document is found by in `group`; empty for none.

        `part_of` makes of a document what is kept of it.
        """
        self._group_of = group_of
        self._part_of = part_of
        self._kept: dict[Key, _Kept] = {}
        self._groups: dict[str, dict[Key, None]] = {}
        self._deleted: dict[str, float] = {}
        """Up to which version; infinity when it is not known."""

    def __iter__(self) -> Iterator[Document]:
        return (kept.document() for kept in tuple(self._kept.values()))

    def get(self, key: Key) -> Document | None:
        """The newest known version."""
        kept = self._kept.get(key)
        return None if kept is None else kept.document()

    def text(self, key: Key) -> bytes | None:
        """The JSON of the newest known version, which is the same as long as the document is."""
        kept = self._kept.get(key)
        return None if kept is None else kept.text

    def keys_of(self, group: str | None = None) -> tuple[Key, ...]:
        """Of one group, or of all documents, in the order in which they came."""
        return tuple(self._kept if group is None else self._groups.get(group, ()))

    def group(self, name: str) -> tuple[Document, ...]:
        """All documents of one group, by name."""
        return tuple(self._kept[key].document() for key in sorted(self._groups.get(name, ())))

    def members(self, name: str) -> Iterator[Document]:
        """Those of one group in the order in which they came, one at a time: for large groups of which few matter.

        Nothing may be put or dropped meanwhile.
        """
        return (self._kept[key].document() for key in self._groups.get(name, ()))

    def lacks(self, key: Key, uid: str, version: int) -> bool:
        """Whether this version of the object would be news."""
        if version <= self._deleted.get(uid, -1):
            return False
        known = self._kept.get(key)
        return known is None or not version or version > known.version

    def put(self, document: Document) -> bool:
        """Whether this was news."""
        key, uid, version = key_of(document), _uid(document), version_of(document)
        if not self.lacks(key, uid, version):
            return False
        known = self._kept.get(key)
        group = self._group_of(document)
        if known is not None and known.group != group:
            self._forget(key)
        self._kept[key] = _Kept(uid, version, group, msgspec.json.encode(self._part_of(document)))
        if group:
            self._groups.setdefault(group, {})[key] = None
        return True

    def found(self, document: Document) -> bool:
        """It was read just now, so it is there; whether this was news."""
        self._deleted.pop(_uid(document), None)
        return self.put(document)

    def drop(self, document: Document, version: int = 0) -> bool:
        """This very object is gone since that version, by itself its own; another of its name stays."""
        uid, key = _uid(document), key_of(document)
        self._deleted[uid] = max(version, version_of(document)) or math.inf
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        known = self._kept.get(key)
        if known is None or known.uid != uid:
            return False
        self._forget(key)
        return True

    def absent(self, present: frozenset[str], version: int, among: Iterable[Key]) -> tuple[Document, ...]:
        """What a list of that version would have among these, and has not by these UIDs.

        What is newer than the list is not missed.
        """
        kept = (self._kept[key] for key in among if key in self._kept)
        return tuple(each.document() for each in kept if each.uid not in present and each.version <= version)

    def _forget(self, key: Key) -> None:
        group = self._kept.pop(key).group
        if group:
            del self._groups[group][key]
            if not self._groups[group]:
                del self._groups[group]


def _uid(document: Document) -> str:
    return str(document["metadata"].get("uid", ""))
