"""What do the objects of one kind look like, as far as the watches told? An absence here is no evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from dormouse_operator.controller.resources import Document, Key, key_of, version_of

_REMEMBERED_DELETIONS = 10_000


class Cache:
    """Takes events in any order: an older version never replaces a newer one, what was deleted comes back by no event
    of before.

    A watch by labels tells that an object is deleted when it only lost one: it is there again with its next version.
    """

    def __init__(self, group_of: Callable[[Document], str] = lambda _: "") -> None:
        """`group_of` names the group that a document is found by in `group`; empty for none."""
        self._group_of = group_of
        self._documents: dict[Key, Document] = {}
        self._groups: dict[str, set[Key]] = {}
        self._deleted: dict[str, float] = {}
        """Up to which version; infinity when it is not known."""

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._documents.values()))

    def get(self, key: Key) -> Document | None:
        """The newest known version."""
        return self._documents.get(key)

    def group(self, name: str) -> tuple[Document, ...]:
        """All documents of one group, by name."""
        return tuple(self._documents[key] for key in sorted(self._groups.get(name, ())))

    def put(self, document: Document) -> bool:
        """Whether this was news."""
        key = key_of(document)
        if version_of(document) <= self._deleted.get(_uid(document), -1):
            return False
        known = self._documents.get(key)
        if known is not None:
            if version_of(document) and version_of(document) <= version_of(known):
                return False
            self._forget(key)
        self._documents[key] = document
        if group := self._group_of(document):
            self._groups.setdefault(group, set()).add(key)
        return True

    def found(self, document: Document) -> bool:
        """It was read just now, so it is there; whether this was news."""
        self._deleted.pop(_uid(document), None)
        return self.put(document)

    def drop(self, document: Document, version: int = 0) -> bool:
        """This very object is gone since that version, by itself its own; another of its name stays."""
        self._deleted[_uid(document)] = max(version, version_of(document)) or math.inf
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        known = self._documents.get(key_of(document))
        if known is None or _uid(known) != _uid(document):
            return False
        self._forget(key_of(document))
        return True

    def relist(
        self, listed: Iterable[Document], version: int, within: Callable[[Document], bool] = lambda _: True
    ) -> tuple[Document, ...]:
        """Take over a complete list of what lies `within`; returns what changed, phantoms included.

        What is newer than the list stays, although the list does not have it.
        """
        present = {_uid(document): document for document in listed}
        changed = [document for document in present.values() if self.put(document)]
        for document in self:
            if within(document) and _uid(document) not in present and version_of(document) <= version:
                self.drop(document, version)
                changed.append(document)
        return tuple(changed)

    def _forget(self, key: Key) -> None:
        group = self._group_of(self._documents.pop(key))
        if group:
            self._groups[group].discard(key)
            if not self._groups[group]:
                del self._groups[group]


def _uid(document: Document) -> str:
    return str(document["metadata"].get("uid", ""))
