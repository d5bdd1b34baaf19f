"""What is in the file with session credentials, and how do clients read it again when it was replaced?

The operator writes it into a Secret that the kubelet mounts, in the words of AWS's `credential_process`: so the same
file serves obstore, by way of this class, and Litestream, by way of `cat`. Its `Expiration` is earlier than that of
the session, so that clients look for the next one while the present one still works.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Credential

_READ_AGAIN_SECONDS = 5.0


class SessionFile:
    """Asked by obstore for credentials; a file that was replaced is noticed within seconds."""

    refresh_threshold = timedelta(0)
    """Obstore's word for how long before `expires_at` it asks again."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __call__(self) -> S3Credential:
        """What the file says now.

        Raises:
            OSError: when it cannot be read.
            ValueError: when it is not what the operator writes.
        """
        try:
            said: dict[str, Any] = json.loads(self._path.read_bytes())
            return {
                "access_key_id": said["AccessKeyId"],
                "secret_access_key": said["SecretAccessKey"],
                "token": said["SessionToken"],
                "expires_at": datetime.now(UTC) + timedelta(seconds=_READ_AGAIN_SECONDS),
            }
        except (ValueError, LookupError, TypeError) as wrong:
            raise ValueError(f"{self._path} holds no session credentials: {wrong!r}") from wrong


def litestream_settings(path: str) -> str:
    """A configuration of AWS's tools that lets Litestream read the file, and read it again at its `Expiration`."""
    return f"[default]\ncredential_process = cat '{path}'\n"
