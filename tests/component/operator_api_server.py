"""What is enough of an API server for the operator? Objects, versions, watches, status; and faults on demand."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

from aiohttp import web
from operator_api_documents import (
    KINDS,
    WITH_STATUS,
    Document,
    blocks,
    discovery,
    if_selected,
    selected,
    watch_event,
)

from chart_rules import Grant, grants, needed_for
from merge_patch import merged

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


LARGEST_BYTES = 1536 * 1024
"""Of an object, as etcd has it unless somebody says otherwise."""


class ApiServer:
    """Everything it holds can be read and written directly, as if by somebody else."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Document] = {}
        self.requests: list[str] = []
        self.tokens: dict[str, Document] = {}
        """What a TokenReview says of each token."""
        self.grants = grants()
        """What the operator may do: what the chart lets it."""
        self.used: set[Grant] = set()
        self.url = ""
        self._version = 100
        self._oldest_kept = 0
        self._log: list[tuple[int, str, Document | None, Document | None]] = []
        """Version, plural, and the object before and after."""
        self._changed = asyncio.Condition()
        self._fault: Fault | None = None
        self._ending: set[str] = set()
        self._watches: set[web.StreamResponse] = set()

    # What a test does.

    def get(self, plural: str, name: str, namespace: str = "team") -> Document:
        return copy.deepcopy(self.objects[plural, namespace, name])

    def all(self, plural: str) -> list[Document]:
        return [copy.deepcopy(value) for key, value in sorted(self.objects.items()) if key[0] == plural]

    def names(self, plural: str) -> list[str]:
        return [document["metadata"]["name"] for document in self.all(plural)]

    async def put(self, plural: str, document: Document) -> Document:
        """Create or replace, as a user with all rights."""
        made = copy.deepcopy(document)
        metadata = made["metadata"]
        key = (plural, metadata["namespace"], metadata["name"])
        known = self.objects.get(key)
        metadata["uid"] = known["metadata"]["uid"] if known else metadata.get("uid") or str(uuid4())
        if plural in ("durableworkflows", "objectstores"):
            before = known["metadata"]["generation"] if known else 0
            is_same = known is not None and known["spec"] == made["spec"]
            metadata["generation"] = before if is_same else before + 1
        await self._write("MODIFIED" if known else "ADDED", key, made)
        return made

    async def change(self, plural: str, name: str, edit: Callable[[Document], None], namespace: str = "team") -> None:
        document = self.get(plural, name, namespace)
        edit(document)
        await self.put(plural, document)

    async def remove(self, plural: str, name: str, namespace: str = "team") -> None:
        """It is gone at once, whatever it was doing."""
        await self._write("DELETED", (plural, namespace, name), self.get(plural, name, namespace))

    async def delete(self, plural: str, name: str, namespace: str = "team") -> None:
        """As `kubectl delete --wait=false`: finalizers and a pod's grace are kept to."""
        await self._delete((plural, namespace, name), {})

    async def delete_namespace(self, first: str, namespace: str = "team") -> None:
        """As its controller does: nothing new comes in, and all but the operator's Lease goes, in any order."""
        self.end_creation(namespace)
        kinds = [plural for kinds in KINDS.values() for _, plural in kinds if plural != "leases"]
        for plural in sorted(kinds, key=lambda plural: plural != first):
            for key in [key for key in self.objects if key[:2] == (plural, namespace)]:
                await self._delete(key, {})

    def end_creation(self, namespace: str = "team") -> None:
        """The first thing that happens to a deleted namespace."""
        self._ending.add(namespace)

    def left(self, namespace: str = "team") -> list[str]:
        """What keeps a deleted namespace from going."""
        return sorted("/".join(key[::2]) for key in self.objects if key[1] == namespace and key[0] != "leases")

    async def until(self, holds: Callable[[], bool]) -> None:
        """Asked after each write."""
        try:
            async with asyncio.timeout(60), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            told = [document.get("status") for document in self.all("durableworkflows")]
            asked = [each for each in self.requests if "leases" not in each][-20:]
            raise AssertionError(f"it never came to that; {told}; last requests: {asked}") from None

    async def asked(self, what: str) -> None:
        """The next request whose line ends like that."""
        seen = len(self.requests)
        await self.until(lambda: any(each.endswith(what) for each in self.requests[seen:]))

    async def lists(self, rounds: int) -> None:
        """Full lists, as often, from now on."""
        for _ in range(rounds):
            await self.asked("GET /api/v1/pods")

    async def forget_history(self) -> None:
        """Watches break off and cannot go on where they were: 410."""
        self._oldest_kept = self._version + 1
        self._version += 1
        await self.break_watches()

    async def break_watches(self) -> None:
        """All that stand."""
        for watch in list(self._watches):
            self._watches.discard(watch)
            if (transport := watch._req.transport) is not None:  # type: ignore[union-attr]
                transport.abort()

    async def stand(self, watches: int) -> None:
        """As many watches, begun since they were last broken."""
        async with asyncio.timeout(60):
            while len(self._watches) < watches:
                await asyncio.sleep(0.01)

    async def tell_watches(self, status: Document) -> None:
        """An ERROR in each of them."""
        for watch in list(self._watches):
            await _send(watch, "ERROR", status)

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Ask it before each request; what it returns is the answer."""
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    # What a server does.

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ApiServer]:
        application = web.Application(client_max_size=4 * 1024**2)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        answer = await self._fault(request) if self._fault is not None else None
        if answer is not None:
            self.requests[-1] += f" {answer.status}"
        async with self._changed:
            self._changed.notify_all()
        return answer if answer is not None else await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Do what was asked for."""
        parts = request.path.strip("/").split("/")
        discovered = discovery(parts)
        if discovered is not None:
            return web.json_response(discovered)
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = None
        if rest[:1] == ["namespaces"]:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = [*rest, "", "", ""][:3]
        resource = f"{plural}/{subresource}" if subresource else plural
        needed = needed_for(request.method, resource, name, is_watch=request.query.get("watch") == "true")
        self.used.add(needed)
        if needed not in self.grants:
            return error(403, f"{resource} is forbidden: the chart does not grant {needed.verb}")
        if request.method == "GET" and not name:
            if request.query.get("watch") == "true":
                return await self._watch(request, plural, namespace)
            return self._list(request, plural, namespace)
        body = json.loads(await request.text() or "{}")
        if request.method == "POST":
            return await self._create(plural, str(namespace), body)
        key = (plural, str(namespace), name)
        if key not in self.objects:
            return error(404, f'{plural} "{name}" not found')
        if request.method == "GET":
            return web.json_response(self.objects[key])
        if request.method == "DELETE":
            return await self._delete(key, body)
        known, metadata = self.objects[key]["metadata"], body.get("metadata") or {}
        for field in ("resourceVersion", "uid"):
            if metadata.get(field, known[field]) != known[field]:
                return error(409, f"the object has been modified: {field}")
        return await self._update(key, body, subresource, is_patch=request.method == "PATCH")

    async def _create(self, plural: str, namespace: str, body: Document) -> web.Response:
        if namespace in self._ending and plural != "leases":
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
            return error(403, "unable to create new content because it is being terminated", causes=[cause])
        if plural == "tokenreviews":
            known = self.tokens.get(body["spec"]["token"], {"authenticated": False})
            return web.json_response({**body, "status": known}, status=201)
        if (refused := self._owners_refused(plural, {}, body)) is not None:
            return refused
        if (plural, namespace, body["metadata"]["name"]) in self.objects:
            return error(409, f'{plural} "{body["metadata"]["name"]}" already exists')
        return web.json_response(await self.put(plural, body), status=201)

    async def _update(
        self, key: tuple[str, str, str], body: Document, subresource: str, *, is_patch: bool
    ) -> web.Response:
        made = merged(self.objects[key], body) if is_patch else body
        known = self.objects[key]
        if (refused := self._owners_refused(key[0], known, made)) is not None:
            return refused
        finalizers = [set(each["metadata"].get("finalizers") or ()) for each in (known, made)]
        if known["metadata"].get("deletionTimestamp") and not finalizers[1] <= finalizers[0]:
            return error(422, "no new finalizers can be added if the object is being deleted")
        if subresource == "status":
            made = {**known, "status": made.get("status")}
            if len(json.dumps(made)) > LARGEST_BYTES:
                return error(500, "etcdserver: request is too large")
        elif key[0] in WITH_STATUS and "status" in known:
            made = {**made, "status": known["status"]}
        if made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers"):
            await self._write("DELETED", key, made)
            return web.json_response(made)
        return web.json_response(await self.put(key[0], made))

    def _owners_refused(self, plural: str, known: Document, made: Document) -> web.Response | None:
        """As the admission plugin OwnerReferencesPermissionEnforcement does, which some clusters have."""
        before, owners = (each.get("metadata", {}).get("ownerReferences") or [] for each in (known, made))
        if before == owners:
            return None
        needed = {Grant("durableworkflows/finalizers", "update")} if any(map(blocks, owners)) else set()
        if known:
            needed.add(Grant(plural, "delete"))
        self.used |= needed
        if needed <= self.grants:
            return None
        return error(403, "cannot set blockOwnerDeletion, or change the owners of an object that you cannot delete")

    async def _delete(self, key: tuple[str, str, str], body: Document) -> web.Response:
        document = copy.deepcopy(self.objects[key])
        metadata = document["metadata"]
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted not in (None, metadata["uid"]):
            return error(409, "the UID in the precondition does not match")
        if (body.get("preconditions") or {}).get("resourceVersion") not in (None, metadata["resourceVersion"]):
            return error(409, "the ResourceVersion in the precondition does not match")
        ended = (document.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if metadata.get("finalizers") or (key[0] == "pods" and not ended and body.get("gracePeriodSeconds") != 0):
            metadata.setdefault("deletionTimestamp", "2026-03-01T12:00:00Z")
            return web.json_response(await self.put(key[0], document))
        await self._write("DELETED", key, document)
        return web.json_response(document)

    def _list(self, request: web.Request, plural: str, namespace: str | None) -> web.Response:
        if plural not in {plural for kinds in KINDS.values() for _, plural in kinds}:
            return error(404, "page not found")
        items = [each for each in self.all(plural) if selected(each, namespace, request)]
        start = int(request.query.get("continue") or 0)
        end = start + int(request.query.get("limit") or 10_000)
        metadata = {"resourceVersion": str(self._version)}
        if end < len(items):
            metadata["continue"] = str(end)
        page = items[start:end]
        if "as=PartialObjectMetadataList" in request.headers.get("Accept", ""):
            page = [{"metadata": each["metadata"]} for each in page]
        return web.json_response({"kind": "List", "metadata": metadata, "items": page})

    async def _watch(self, request: web.Request, plural: str, namespace: str | None) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self._watches.add(response)
        seen = int(request.query.get("resourceVersion") or 0)
        try:
            if seen < self._oldest_kept:
                await _send(response, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
                return response
            while True:
                for version, of, before, after in list(self._log):
                    if version > seen and of == plural:
                        told = watch_event(
                            version, *(if_selected(each, namespace, request) for each in (before, after))
                        )
                        if told is not None:
                            await _send(response, *told)
                seen = max(seen, self._version)
                async with self._changed:
                    await self._changed.wait_for(lambda: self._version > seen)  # noqa: B023 - asked at once
        except ConnectionError:
            return response
        finally:
            self._watches.discard(response)

    async def _write(self, kind: str, key: tuple[str, str, str], document: Document) -> None:
        self._version += 1
        before = self.objects.get(key)
        document["metadata"]["resourceVersion"] = str(self._version)
        if kind == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = copy.deepcopy(document)
        after = None if kind == "DELETED" else copy.deepcopy(document)
        self._log.append((self._version, key[0], before, after))
        async with self._changed:
            self._changed.notify_all()


def error(status: int, message: str, **details: Any) -> web.Response:
    return web.json_response({"kind": "Status", "code": status, "message": message, "details": details}, status=status)


async def _send(response: web.StreamResponse, kind: str, document: Document) -> None:
    await response.write(json.dumps({"type": kind, "object": document}).encode() + b"\n")
