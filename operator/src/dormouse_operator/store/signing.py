"""How is a request signed that the S3 client does not know? AWS Signature Version 4. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """Who asks. `session_token` is empty for keys that do not end."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Request:
    """What is asked, as it goes over the wire. `query` is in plain text, and so is the path of `url`."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The whole URL."""
        return f"{self.url}?{query_text(self.query)}" if self.query else self.url


def query_text(parameters: Mapping[str, str]) -> str:
    """Sorted and escaped, as it is signed and sent; a form's body looks the same."""
    return "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(parameters.items()))


def signed(request: Request, keys: Keys, region: str, service: str, now: datetime) -> dict[str, str]:
    """The headers to send, the request's own with them. `now` is in UTC."""
    place = urlsplit(request.url)
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers |= {"host": place.netloc, "x-amz-date": moment, "x-amz-content-sha256": digest}
    if keys.session_token:
        headers["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        (
            request.method,
            quote(place.path or "/", safe="/~"),
            query_text(request.query),
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",
            names,
            digest,
        )
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    told = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = _mac(key, told).hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _escaped(text: str) -> str:
    return quote(text, safe="~")
