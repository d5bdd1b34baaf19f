"""Which place does a URL on the command line name, and with which keys is it opened? Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dormouse.replica.s3 import Location, objection

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#]*))?")
_ENDPOINT = re.compile(r"https?://[^/?#@\s]+/?")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class InvalidURL(ValueError):
    """The command line or the environment does not name a store; the message says what would."""


@dataclass(frozen=True)
class Place:
    """A bucket, and where in it."""

    location: Location
    prefix: str


def located(
    url: str,
    endpoint: str | None,
    region: str | None,
    path_style: bool | None,
    ca_bundle: Path | None,
    environment: Mapping[str, str],
    kms_key_id: str | None = None,
) -> Place:
    """What is not given is taken from the environment, as AWS's own tools do it. Raises InvalidURL."""
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidURL(f"{url!r} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX, the host as --endpoint")
    endpoint = endpoint or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        raise InvalidURL(f"the endpoint {endpoint!r} must be http(s)://host[:port] without user, path or query")
    for name in _KEYS:
        if not environment.get(name):
            of_dev = "`. .dormouse/store/environment` does it for the store of `dormouse dev`"
            raise InvalidURL(f"{name} is not set; export {' and '.join(_KEYS)}; {of_dev}")
        if wrong := objection(environment[name]):
            raise InvalidURL(f"{name}: {wrong}")
    bundle = ca_bundle or environment.get("AWS_CA_BUNDLE") or ""
    return Place(
        Location(
            bucket=found["bucket"],
            endpoint=endpoint.rstrip("/"),
            region=region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1",
            path_style=bool(endpoint) if path_style is None else path_style,
            access_key_id=environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            session_token=environment.get("AWS_SESSION_TOKEN", ""),
            ca_bundle=str(bundle),
            kms_key_id=kms_key_id or "",
        ),
        (found["prefix"] or "").strip("/"),
    )
