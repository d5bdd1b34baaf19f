"""Where is the store that an ObjectStore names, and with which keys is it opened?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dormouse.replica.s3 import S3, Location
from dormouse_operator.api import ObjectStore


def open_store(store: ObjectStore, secret: Mapping[str, bytes], ca_bundle: Path | None) -> S3:
    """The bucket; `secret` holds the values of the Secret that the store's credentials name."""
    spec = store.spec
    return S3(
        Location(
            bucket=spec.bucket,
            endpoint=spec.endpoint,
            region=spec.region,
            path_style=spec.path_style,
            access_key_id=_text(secret, spec.credentials.secret_ref.access_key_id_key),
            secret_access_key=_text(secret, spec.credentials.secret_ref.secret_access_key_key),
            ca_bundle="" if ca_bundle is None else str(ca_bundle),
        )
    )


def _text(secret: Mapping[str, bytes], key: str) -> str:
    return secret.get(key, b"").decode(errors="replace")
