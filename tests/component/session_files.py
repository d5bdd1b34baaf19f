"""How does a test stand in for operator and kubelet? It puts a session's credentials where a keeper reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h11
from store_proxy import Fault

EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
"""What a store answers, with 403."""


def write_session(path: Path, keys: Mapping[str, str], seconds: float) -> None:
    """Replace the file at once, as a kubelet does; clients look for the next one when so many seconds are over."""
    said = {
        "Version": 1,
        "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": keys["AWS_SESSION_TOKEN"],
        "Expiration": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z"),
    }
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(said))
    draft.replace(path)


def signed_with(access_key: str) -> Fault:
    """Requests that were signed with this key."""
    needle = f"Credential={access_key}/".encode()

    def is_signed(request: h11.Request) -> bool:
        return any(name == b"authorization" and needle in value for name, value in request.headers)

    return is_signed
