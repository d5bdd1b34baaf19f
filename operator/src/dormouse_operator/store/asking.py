"""How is the store asked for what the S3 client does not know? One signed request, answered within some seconds."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from dormouse.replica.s3 import Location
from dormouse.replica.store import StoreDenied, StoreError, StoreUnknown
from dormouse_operator.store.signing import Keys, Request, signed

_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_ANSWERED_WITHIN_SECONDS = 10.0


class Absent(StoreError):
    """The store has no such thing; `code` is the store's own word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def keys_of(location: Location) -> Keys:
    """The credentials of a bucket."""
    return Keys(location.access_key_id, location.secret_access_key, location.session_token)


def bucket_url(location: Location) -> str:
    """Where requests about the bucket itself go."""
    endpoint = location.endpoint or f"https://s3.{location.region}.amazonaws.com"
    if location.path_style:
        return f"{endpoint}/{location.bucket}"
    place = urlsplit(endpoint)
    return f"{place.scheme}://{location.bucket}.{place.netloc}/"


async def ask(request: Request, location: Location, service: str = "s3") -> str:
    """The text of the answer.

    Raises:
        Absent: when the store says 404.
        StoreDenied: when it says 401 or 403.
        StoreUnknown: whatever else goes wrong.
    """
    headers = signed(request, keys_of(location), location.region, service, datetime.now(UTC))
    trusted = ssl.create_default_context(cafile=location.ca_bundle) if location.ca_bundle else True
    try:
        async with httpx.AsyncClient(verify=trusted, timeout=_ANSWERED_WITHIN_SECONDS, trust_env=False) as client:
            answer = await client.request(request.method, request.target, content=request.body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as failed:
        raise StoreUnknown(f"{type(failed).__name__}: {failed}".rstrip(": ")) from failed
    if answer.is_success:
        return answer.text
    code, words = (found[1] if (found := each.search(answer.text)) else "" for each in (_CODE, _MESSAGE))
    told = ": ".join(filter(None, (code or str(answer.status_code), words)))
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise Absent(code)
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise StoreDenied(told)
    raise StoreUnknown(told)
