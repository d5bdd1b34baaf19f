"""What do an API server and an S3 server do with a request whose answer comes late, gets lost, or never was asked?

Every request of an operator waits until the test says what becomes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, cast

import msgspec

from dormouse.replica.store import StoreConflict, StoredObject, StoreUnknown
from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound, Refused, Unavailable
from dormouse_operator.controller.resources import EVENTS, PODS, SECRETS, STORES, WORKFLOWS, Document, Key, Resource
from dormouse_operator.plan import is_watched
from merge_patch import merged

READ_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Outcome(StrEnum):
    """What becomes of a request."""

    DONE = "done"
    REFUSED = "not done, and said so"
    LOST = "done, and the answer is lost"
    LATE = "given up, and done later"
    FORBIDDEN = "refused for good, if it makes a pod"


@dataclass
class Request:
    """One that was sent, and waits."""

    what: str
    answer: asyncio.Future[Outcome]


@dataclass
class Line:
    """Between one operator and everything else."""

    name: str
    waiting: list[Request] = field(default_factory=list)
    late: list[Callable[[], object]] = field(default_factory=list)
    is_arriving_late: bool = False
    asked: list[str] = field(default_factory=list)
    """All that ever was."""

    async def ask(self, what: str, do: Callable[[], Any], unavailable: type[Exception], *, writes: bool) -> Any:
        request = Request(what, asyncio.get_running_loop().create_future())
        self.waiting.append(request)
        self.asked.append(what)
        try:
            outcome = await request.answer
        except asyncio.CancelledError:
            if request in self.waiting:  # whoever asked died: nobody knows how far it came
                self.waiting.remove(request)
                if writes:
                    self.late.append(do)
            raise
        if outcome is Outcome.DONE:
            return do()
        if outcome is Outcome.FORBIDDEN and what == "create pods":
            raise Refused("exceeded quota: pods")
        if outcome is Outcome.LOST:
            do()
        if outcome is Outcome.LATE and writes:
            self.late.append(do)
        raise unavailable(f"{what}: {outcome}")

    def settle(self, outcome: Outcome) -> None:
        """The oldest request."""
        self.waiting.pop(0).answer.set_result(outcome)

    def arrive(self) -> None:
        """What somebody gave up long ago."""
        do = self.late.pop(0)
        self.is_arriving_late = True
        try:
            do()
        except (Conflict, NotFound, StoreConflict):
            pass
        finally:
            self.is_arriving_late = False


@dataclass(frozen=True)
class Told:
    """One event of a watch."""

    resource: Resource
    is_deleted: bool
    document: Document


class Objects:
    """What the API server holds. Nobody changes a document that was given out: each write makes a new one."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, Key], Document] = {}
        self.version = 10
        self.writes = 0
        self.watches: list[Callable[[Told], None]] = []

    def all(self, resource: Resource) -> list[Document]:
        """As they are now."""
        return [each for (plural, _), each in sorted(self.held.items()) if plural == resource.plural]

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Raises NotFound."""
        try:
            return self.held[resource.plural, (namespace, name)]
        except KeyError:
            raise NotFound(f"{resource.plural} {name}") from None

    def put(self, resource: Resource, document: Document | None, before: Document | None) -> Document:
        """Write, and tell the watches."""
        self.version += 1
        given = document if document is not None else before
        assert given is not None
        made = {**given, "metadata": {**given["metadata"]}}
        made["metadata"]["resourceVersion"] = str(self.version)
        key = (resource.plural, (made["metadata"]["namespace"], made["metadata"]["name"]))
        if document is None:
            del self.held[key]
        else:
            self.held[key] = made
        was, is_ = (each is not None and _is_watched(resource, each) for each in (before, document))
        if resource in (WORKFLOWS, PODS, STORES) and (was or is_):
            for tell in self.watches:
                tell(Told(resource, not is_, made))
        return made

    def change(self, resource: Resource, name: str, edit: Callable[[Document], object]) -> None:
        """As somebody with all rights, at once. What changes nothing is no write."""
        before = self.get(resource, "team", name)
        document = copied(before)
        edit(document)
        if document != before:
            self.put(resource, document, before)

    def remove(self, resource: Resource, name: str) -> None:
        self.put(resource, None, self.get(resource, "team", name))

    def create(self, resource: Resource, document: Mapping[str, Any]) -> Document:
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        if (resource.plural, (namespace, name)) in self.held:
            raise Conflict(f"{name} is there already")
        made = copied(document)
        made["metadata"]["uid"] = f"uid-{self.version}"
        self.writes += 1
        return self.put(resource, made, None)

    def merge(self, resource: Resource, name: str, patch: Mapping[str, Any], subresource: str) -> Document:
        before = self.get(resource, "team", name)
        wanted = patch.get("metadata") or {}
        for which in ("uid", "resourceVersion"):
            if wanted.get(which, before["metadata"][which]) != before["metadata"][which]:
                raise Conflict(f"{name} is another")
        made: Document = merged(before, patch)
        kept = "spec" if subresource else "status"
        if kept in before:
            made[kept] = before[kept]
        self.writes += 1
        is_gone = bool(made["metadata"].get("deletionTimestamp")) and not made["metadata"].get("finalizers")
        if not is_gone:
            return self.put(resource, made, before)
        self.put(resource, None, before)
        return made

    def delete(
        self, resource: Resource, name: str, uid: str, grace_seconds: int | None, version: str | None
    ) -> Document:
        before = self.get(resource, "team", name)
        if before["metadata"]["uid"] != uid or version not in (None, before["metadata"]["resourceVersion"]):
            raise Conflict(f"{name} is another")
        self.writes += 1
        ended = (before.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if before["metadata"].get("finalizers") or (resource is PODS and not ended and grace_seconds != 0):
            made = copied(before)
            made["metadata"].setdefault("deletionTimestamp", "2026-03-01T12:00:00Z")
            return self.put(resource, made, before)
        return self.put(resource, None, before)


class Witness(Protocol):
    """Whoever looks at each request when it is done."""

    def writes(self, line: Line, resource: Resource, made: Document) -> None:
        """Each creation, before it is done, and each patch, after it."""

    def refuses(self, made: Document) -> None:
        """This pod was never there."""

    def lists(self, line: Line, resource: Resource) -> None:
        """As they are now."""

    def asks_store(self, line: Line, what: str, data: bytes) -> None:
        """What was read, or is written now."""


class AskedApi:
    """An operator's own API server: pods and workflows over its line, the rest at once."""

    def __init__(self, objects: Objects, line: Line, witness: Witness) -> None:
        self._objects = objects
        self._line = line
        self._witness = witness

    def as_api(self) -> ApiServer:
        return cast("ApiServer", self)

    async def _ask(self, what: str, resource: Resource, do: Callable[[], Any], *, writes: bool = True) -> Any:
        if resource in (EVENTS, SECRETS, STORES):
            return do()
        return await self._line.ask(f"{what} {resource.plural}", do, Unavailable, writes=writes)

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        def do() -> Document:
            return self._objects.get(resource, namespace, name)

        return cast("Document", await self._ask("get", resource, do, writes=False))

    async def list_to(
        self, see: Callable[[Document], None], resource: Resource, namespace: str | None, labels: str = ""
    ) -> int:
        wanted = dict(part.split("=") for part in labels.split(",") if part)

        def do() -> tuple[list[Document], int]:
            self._witness.lists(self._line, resource)
            found = [each for each in self._objects.all(resource) if wanted.items() <= _labels(each).items()]
            return [each for each in found if namespace in (None, "team")], self._objects.version

        found, version = await self._ask("list", resource, do, writes=False)
        for each in found:
            see(each)
        return int(version)

    async def create(self, resource: Resource, document: Mapping[str, Any]) -> Document:
        def do() -> Document:
            name = document["metadata"]["name"]
            if (resource.plural, ("team", name)) not in self._objects.held:
                self._witness.writes(self._line, resource, dict(document))
            return self._objects.create(resource, document)

        try:
            return cast("Document", await self._ask("create", resource, do))
        except Refused:
            self._witness.refuses(dict(document))
            raise

    async def merge(
        self, resource: Resource, _namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> Document:
        def do() -> Document:
            made = self._objects.merge(resource, name, patch, subresource)
            self._witness.writes(self._line, resource, made)
            return made

        return cast("Document", await self._ask("patch", resource, do))

    async def replace(self, resource: Resource, document: Mapping[str, Any]) -> Document:
        def do() -> Document:
            return self._objects.merge(resource, document["metadata"]["name"], document, "")

        return cast("Document", await self._ask("update", resource, do))

    async def delete(
        self,
        resource: Resource,
        _namespace: str,
        name: str,
        uid: str,
        grace_seconds: int | None = None,
        version: str | None = None,
    ) -> Document:
        def do() -> Document:
            return self._objects.delete(resource, name, uid, grace_seconds, version)

        return cast("Document", await self._ask("delete", resource, do))


class Bucket:
    """Every key with its value; each value has an ETag of its own."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self._count = 0

    def write(self, key: str, data: bytes) -> str:
        self._count += 1
        self.objects[key] = (data, str(self._count))
        return str(self._count)


class AskedStore:
    """An operator's own way to the bucket."""

    def __init__(self, bucket: Bucket, line: Line, witness: Witness) -> None:
        self._bucket = bucket
        self._line = line
        self._witness = witness

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | None:  # noqa: ARG002 - as the port has it
        def do() -> StoredObject | None:
            found = self._bucket.objects.get(key)
            self._witness.asks_store(self._line, "read", b"" if found is None else found[0])
            return None if found is None else StoredObject(found[0], found[1], READ_AT)

        return cast("StoredObject | None", await self._line.ask(f"read {key}", do, StoreUnknown, writes=False))

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        def do() -> str:
            found = self._bucket.objects.get(key)
            if (None if found is None else found[1]) != if_match:
                raise StoreConflict(key)
            self._witness.asks_store(self._line, "write", data)
            return self._bucket.write(key, data)

        return cast("str", await self._line.ask(f"write {key}", do, StoreUnknown, writes=True))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        for key in sorted(self._bucket.objects):
            if key.startswith(prefix):
                yield key

    async def delete(self, key: str) -> None:
        self._bucket.objects.pop(key, None)


def copied(document: Mapping[str, Any]) -> Document:
    """Quicker than a deep copy of anything."""
    return cast("Document", msgspec.json.decode(msgspec.json.encode(document)))


def _labels(document: Document) -> Mapping[str, str]:
    return document["metadata"].get("labels") or {}


def _is_watched(resource: Resource, document: Document) -> bool:
    return resource is not PODS or is_watched(document)
