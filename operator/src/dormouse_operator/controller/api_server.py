"""How does the operator talk to the API server? Plain documents in and out; errors by what they mean for a step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient, Configuration

from dormouse_operator.controller.deep_documents import decode
from dormouse_operator.controller.resources import Document, Resource, version_number, version_of
from dormouse_operator.controller.tally import Tally

PAGE = 500
"""So many objects of a list come at once."""
_JSON = "application/json"
_METADATA_ONLY = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
UNANSWERED = "none"
"""Stands for the code of a request that had no answer."""


class ApiError(Exception):
    """The API server did not do what was asked."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not as the request presumed: another version, another UID, or it exists already."""


class Refused(ApiError):
    """It will not do that: forbidden, invalid, or over a quota. The message is its own."""


class TooLarge(Refused):
    """The object would be larger than the API server keeps: 1.5 MiB by default."""


class NamespaceEnds(Refused):
    """The namespace is being deleted: nothing can be created in it any more."""


class Unavailable(ApiError):
    """No telling whether it was done: no connection, a time-out, a 5xx, or too many requests."""


class Version(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Which object there is, and in which version."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _Listed(msgspec.Struct, frozen=True, gc=False):
    metadata: Version


class _PageMetadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _VersionsPage(msgspec.Struct, frozen=True):
    """Whatever else the API server says of an object is passed over, and never made."""

    metadata: _PageMetadata
    items: tuple[_Listed, ...] | None = None


class ApiServer:
    """One connection pool. No call retries by itself: a step that failed is planned anew."""

    def __init__(self, configuration: Configuration, timeout_seconds: float = 15, tally: Tally | None = None) -> None:
        """The configuration as `kubernetes.aio` loads it; a request ends within the time given."""
        self.answered_at = float("-inf")
        """When the last answer came, by the loop's clock."""
        self.is_known = True
        """Whether that one took our token."""
        self._tally = tally or Tally()
        self._client = ApiClient(configuration)
        self._client.user_agent = "dormouse-operator"
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call] # not annotated there

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Read the object from etcd, not from a cache of the API server."""
        return await self._request("get", resource, namespace, name)

    async def create(self, resource: Resource, document: Mapping[str, Any]) -> Document:
        """Create it; Conflict when the name is taken. Without a namespace it is one of the cluster."""
        return await self._request("create", resource, document["metadata"].get("namespace"), body=document)

    async def replace(self, resource: Resource, document: Mapping[str, Any]) -> Document:
        """Replace it; Conflict unless its resourceVersion is still this document's."""
        metadata = document["metadata"]
        return await self._request("update", resource, metadata["namespace"], metadata["name"], body=document)

    async def merge(
        self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any], subresource: str = ""
    ) -> Document:
        """Apply a JSON merge patch; Conflict unless the resourceVersion in it, if any, still holds."""
        return await self._request("patch", resource, namespace, name, subresource, body=patch)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        grace_seconds: int | None = None,
        version: str | None = None,
    ) -> Document:
        """Delete the object of this UID; Conflict when the name belongs to another one by now.

        With `version` also when it was changed since.
        """
        preconditions = {"uid": uid} if version is None else {"uid": uid, "resourceVersion": version}
        body: Document = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        return await self._request("delete", resource, namespace, name, body=body)

    async def list(
        self, resource: Resource, namespace: str | None, labels: str = "", fields: str = ""
    ) -> tuple[list[Document], int]:
        """All objects, and the version that they are complete for."""
        found: list[Document] = []
        return found, await self.list_to(found.append, resource, namespace, labels, fields)

    async def list_to(
        self,
        see: Callable[[Document], None],
        resource: Resource,
        namespace: str | None,
        labels: str = "",
        fields: str = "",
    ) -> int:
        """Have all objects seen, page by page from etcd; returns the version that they are complete for.

        Of thousands no more than one page is ever there as a whole.
        """
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        while True:
            page = await self._request("list", resource, namespace, query=query)
            for each in page.get("items") or ():
                see(each)
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return version_of(page)
            query["continue"] = token

    async def list_versions(
        self, see: Callable[[Version], None], resource: Resource, namespace: str | None, labels: str = ""
    ) -> int:
        """As `list_to`, but of each object only which version of it there is: a twentieth of the work."""
        query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            told = await self._exchange("list", resource, namespace, query=query, accept=f"{_METADATA_ONLY},{_JSON}")
            try:
                page = decode(told, _VersionsPage)
            except msgspec.DecodeError as failed:
                raise Unavailable(f"GET {resource.path(namespace)}: the answer is no list: {failed}") from failed
            for each in page.items or ():
                see(each.metadata)
            if not page.metadata.continue_:
                return version_number(page.metadata.resource_version)
            query["continue"] = page.metadata.continue_

    async def _request(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Document:
        data = await self._exchange(verb, resource, namespace, name, subresource, query=query, body=body)
        try:
            answer = decode(data) if data else {}
        except msgspec.DecodeError as failed:
            path = resource.path(namespace, name, subresource)
            raise Unavailable(f"{_METHODS[verb]} {path}: the answer is no JSON") from failed
        return answer if isinstance(answer, dict) else {}

    async def _exchange(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = _JSON,
    ) -> bytes:
        """The body of the answer, unless that is an error."""
        method, path = _METHODS[verb], resource.path(namespace, name, subresource)
        content_type = "application/merge-patch+json" if verb == "patch" else _JSON
        counted, code = f"{resource.plural}/{subresource}".rstrip("/"), UNANSWERED
        try:
            async with asyncio.timeout(self._timeout_seconds):
                prepared = await self._client.param_serialize(
                    method,
                    path,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": accept, "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                response = await self._client.call_api(*prepared)
                data = await response.read()  # type: ignore[no-untyped-call] # not annotated there
                status = int(response.status)
            code = str(status)
            self.answered_at = asyncio.get_running_loop().time()
            self.is_known = status != 401
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise Unavailable(f"{method} {path}: {type(failed).__name__}: {failed}".rstrip(": ")) from failed
        finally:
            self._tally.requests[verb, counted, code] += 1
        if status >= 400:
            raise _error(status, f"{method} {path}", data)
        return bytes(data)


_TOO_LARGE = ("etcdserver: request is too large", "trying to send message larger than max")
"""Which it calls an internal error, as if another try could help."""
_LONGEST_HEAD, _LONGEST_TAIL = 500, 250


def _shortened(said: str) -> str:
    """It repeats a value that it refuses, of a megabyte if need be; what is wrong with it comes last."""
    left_out = len(said) - _LONGEST_HEAD - _LONGEST_TAIL
    if left_out <= 0:
        return said
    return f"{said[:_LONGEST_HEAD]}... ({left_out} characters) ...{said[-_LONGEST_TAIL:]}"


def _error(status: int, request: str, data: bytes) -> ApiError:
    try:
        answer = decode(data) if data else {}
    except msgspec.DecodeError:
        answer = {}
    said = answer.get("message") if isinstance(answer, dict) else None
    message = f"{_shortened(str(said or 'the API server gave no reason'))} ({request}: {status})"
    if status == 413 or any(words in message for words in _TOO_LARGE):
        return TooLarge(message)
    if status == 404:
        return NotFound(message)
    if status == 409:
        return Conflict(message)
    # 401 comes back when a token was just rotated, 410 when a page's token grew too old: worth another try.
    if status in (401, 408, 410, 429) or status >= 500:
        return Unavailable(message)
    causes = ((answer.get("details") or {}).get("causes") or ()) if isinstance(answer, dict) else ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceEnds(message)
    return Refused(message)
