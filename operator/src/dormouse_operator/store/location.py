"""Where is the store that an ObjectStore names, and with which keys is it opened?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from obstore.exceptions import BaseError

from dormouse.replica.requests import Requests
from dormouse.replica.s3 import S3, Location, objection
from dormouse.replica.store import StoreError
from dormouse_operator.api import ObjectStore


def open_store(
    store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None, requests: Requests | None = None
) -> S3:
    """The bucket; `secret` holds the values of the Secret that the store's credentials name, `requests` counts.

    Raises:
        StoreError: with what of the two cannot be used; nothing was asked of the store yet.
    """
    location = location_of(store, secret, ca_bundle)
    try:
        return S3(location, requests=requests)
    except (ValueError, OSError, BaseError) as error:
        told = str(error).partition("\n")[0]
        what = "the certificates of spec.caBundle cannot be read"
        if not location.ca_bundle:
            what = "the store cannot be opened"
        raise StoreError(f"{what}: {told}") from error


def location_of(store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None) -> Location:
    """The place and the keys. Raises StoreError when a key cannot be one."""
    spec = store.spec
    reference = spec.credentials.secret_ref
    return Location(
        bucket=spec.bucket,
        endpoint=spec.endpoint,
        region=spec.region,
        path_style=spec.path_style,
        access_key_id=key_of_secret(secret, reference.name, reference.access_key_id_key),
        secret_access_key=key_of_secret(secret, reference.name, reference.secret_access_key_key),
        ca_bundle="" if ca_bundle is None else str(ca_bundle),
        kms_key_id=spec.kms_key_id,
    )


def key_of_secret(secret: Mapping[str, bytes], name: str, key: str) -> str:
    """One of the values of a Secret. Raises StoreError."""
    text = secret.get(key, b"").decode(errors="replace")
    if wrong := objection(text):
        raise StoreError(f"Secret `{name}`, key `{key}`: {wrong}")
    return text
