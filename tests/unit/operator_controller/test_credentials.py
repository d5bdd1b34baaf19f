"""Are a store's credentials made once for all steps that read them, and anew as soon as they may be others?"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dormouse_operator.api import CaBundle, ConfigMapKeyReference, ObjectStore, parse
from dormouse_operator.controller.api_server import ApiServer, NotFound
from dormouse_operator.controller.credentials import CredentialReader, Credentials
from dormouse_operator.controller.resources import CONFIG_MAPS, SECRETS, Document, Resource

STORE: Document = {
    "apiVersion": "dormouse.dev/v1alpha1",
    "kind": "ObjectStore",
    "metadata": {"namespace": "team", "name": "local", "uid": "store"},
    "spec": {
        "endpoint": "http://s3.test",
        "bucket": "data",
        "credentials": {"secretRef": {"name": "keys"}},
        "caBundle": {"configMapRef": {"name": "authority", "key": "ca.crt"}},
    },
}


def secret(value: str) -> Document:
    return {"metadata": {"uid": "secret"}, "data": {"accessKeyId": base64.b64encode(value.encode()).decode()}}


class Held(ApiServer):
    """What it has, and how often it was asked."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {
            "keys": secret("one"),
            "authority": {"metadata": {"uid": "map"}, "data": {"ca.crt": "first", "other.crt": "second"}},
        }
        self.asked = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        assert (namespace, resource) in (("team", SECRETS), ("team", CONFIG_MAPS))
        self.asked += 1
        if name not in self.documents:
            raise NotFound(name)
        return self.documents[name]


def store() -> ObjectStore:
    found = parse(STORE)
    assert isinstance(found, ObjectStore)
    return found


def read(api: Held, folder: Path, *changes: Any) -> list[Credentials]:
    """What is read first, and after each of the changes, which get the reader and may answer with another store."""

    async def story() -> list[Credentials]:
        reader = CredentialReader(api, folder)
        first = await reader.read(store())
        return [first, *[await reader.read(change(reader) or store()) for change in changes]]

    return asyncio.run(story())


def test_all_steps_of_a_store_have_the_same_ones(tmp_path: Path) -> None:
    api = Held()
    first, second = read(api, tmp_path, lambda _: None)
    assert first is second
    assert first.secret == {"accessKeyId": b"one"}
    assert first.ca_bundle is not None
    assert first.ca_bundle.read_text() == "first"
    assert api.asked == 2


def test_a_secret_that_was_changed_is_seen(tmp_path: Path) -> None:
    changed = secret("two")
    first, second = read(Held(), tmp_path, lambda reader: reader.keep(SECRETS, ("team", "keys"), changed))
    assert second.secret == {"accessKeyId": b"two"}
    assert first.version != second.version


def test_a_secret_that_is_gone_is_seen(tmp_path: Path) -> None:
    _, second = read(Held(), tmp_path, lambda reader: reader.keep(SECRETS, ("team", "keys"), None))
    assert second.secret is None
    assert second.keys is None


def test_a_secret_that_somebody_else_changed_is_seen_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.controller.credentials._FRESH_SECONDS", 0.05)

    async def story() -> None:
        api = Held()
        reader = CredentialReader(api, tmp_path)
        assert (await reader.read(store())).secret == {"accessKeyId": b"one"}
        api.documents["keys"] = secret("two")
        await asyncio.sleep(0.06)
        assert (await reader.read(store())).secret == {"accessKeyId": b"two"}

    asyncio.run(story())


def test_certificates_that_were_changed_are_seen(tmp_path: Path) -> None:
    changed = {"metadata": {"uid": "map"}, "data": {"ca.crt": "renewed"}}
    _, second = read(Held(), tmp_path, lambda reader: reader.keep(CONFIG_MAPS, ("team", "authority"), changed))
    assert second.ca_bundle is not None
    assert second.ca_bundle.read_text() == "renewed"


def test_a_store_that_names_another_key_of_the_same_config_map_has_other_certificates(tmp_path: Path) -> None:
    named = CaBundle(config_map_ref=ConfigMapKeyReference(name="authority", key="other.crt"))
    moved = replace(store(), spec=replace(store().spec, ca_bundle=named))
    _, second = read(Held(), tmp_path, lambda _: moved)
    assert second.ca_bundle is not None
    assert second.ca_bundle.read_text() == "second"
