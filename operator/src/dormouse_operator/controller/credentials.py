"""With what is a store opened? Its Secret and its certificates, read when needed, so no Secret has to be listed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dormouse_operator.api import ConfigMapKeyReference, ObjectStore
from dormouse_operator.controller.api_server import ApiServer, NotFound
from dormouse_operator.controller.resources import CONFIG_MAPS, SECRETS, Document, Key, Resource

_FRESH_SECONDS = 60.0
_ABSENT_SECONDS = 5.0
_REMEMBERED = 1000


@dataclass(frozen=True)
class Credentials:
    """`secret` is None when there is no such Secret; `version` changes whenever a value may have.

    `documents` are what the store names, as it was when it was read: of each kind at most one.
    """

    secret: Mapping[str, bytes] | None
    ca_bundle: Path | None
    version: str
    documents: Mapping[str, Document] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str] | None:
        """The Secret's keys."""
        return None if self.secret is None else frozenset(self.secret)


@dataclass(frozen=True)
class _Made:
    """Of what was read, and for which key of the certificates."""

    secret: Document | None
    bundle: Document | None
    reference: ConfigMapKeyReference | None
    credentials: Credentials


class CredentialReader:
    """Remembers what it read for a minute, an absence for some seconds."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        """Certificates are written to files in `folder`, since the S3 client wants a path."""
        self._api = api
        self._folder = folder
        self._made: OrderedDict[Key, _Made] = OrderedDict()
        """By the store: thousands of steps use the same ones until they are read again."""
        self._known: OrderedDict[tuple[Resource, Key], tuple[float, Document | None]] = OrderedDict()

    async def read(self, store: ObjectStore) -> Credentials:
        """What the store names. Raises ApiError."""
        namespace = store.metadata.namespace
        secret = await self._get(SECRETS, (namespace, store.spec.credentials.secret_ref.name))
        reference = None if store.spec.ca_bundle is None else store.spec.ca_bundle.config_map_ref
        bundle = None if reference is None else await self._get(CONFIG_MAPS, (namespace, reference.name))
        key = (namespace, store.metadata.name)
        made = self._made.get(key)
        if made is None or made.secret is not secret or made.bundle is not bundle or made.reference != reference:
            made = _Made(secret, bundle, reference, self._credentials(secret, bundle, reference))
            self._made[key] = made
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return made.credentials

    def _credentials(
        self, secret: Document | None, bundle: Document | None, reference: ConfigMapKeyReference | None
    ) -> Credentials:
        path, version = None, ""
        documents = {} if secret is None else {"Secret": secret}
        if reference is not None:
            if bundle is not None:
                documents["ConfigMap"] = bundle
            text = ((bundle or {}).get("data") or {}).get(reference.key, "")
            version = hashlib.sha256(text.encode()).hexdigest()[:16]
            path = self._folder / f"{version}.crt"
            if not path.exists():
                path.write_text(text)
        if secret is None:
            return Credentials(None, path, version, documents)
        digest = hashlib.sha256(repr(sorted((secret.get("data") or {}).items())).encode()).hexdigest()[:16]
        return Credentials(_values(secret), path, f"{secret['metadata']['uid']}/{digest}/{version}", documents)

    def keep(self, resource: Resource, key: Key, document: Document | None) -> None:
        """This is how it is now. What was read longer ago than it counts is forgotten."""
        now = asyncio.get_running_loop().time()
        self._known[resource, key] = (now, document)
        self._known.move_to_end((resource, key))
        while now - next(iter(self._known.values()))[0] >= _FRESH_SECONDS:
            self._known.popitem(last=False)

    async def _get(self, resource: Resource, key: Key) -> Document | None:
        now = asyncio.get_running_loop().time()
        known = self._known.get((resource, key))
        if known is not None and now - known[0] < (_ABSENT_SECONDS if known[1] is None else _FRESH_SECONDS):
            return known[1]
        try:
            found: Document | None = await self._api.get(resource, *key)
        except NotFound:
            found = None
        self.keep(resource, key, found)
        return found


def _values(secret: Document) -> dict[str, bytes]:
    values = {}
    for name, text in (secret.get("data") or {}).items():
        try:
            values[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue  # the API server takes nothing else, and a key that cannot be read is as good as missing
    return values
