"""What is in the file with session credentials, and how do clients read it again when it was replaced?

The operator writes it into a Secret that the kubelet mounts, in the words of AWS's `credential_process`: so the same
file serves obstore, by way of this class, and Litestream, by way of a command. Neither believes its `Expiration`:
credentials are also replaced before they end, when the keys that minted them are to be revoked.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Credential

_READ_AGAIN_SECONDS = 10.0


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
    """A configuration of AWS's tools that lets Litestream read the file, and read it again within seconds.

    It asks again only at the `Expiration` that it was told, so it is told one of a few seconds. `@SECONDS` is a time
    that the `date` of GNU and the one of BusyBox understand.
    """
    again = f"$(date -u -d @$(($(date +%s) + {_READ_AGAIN_SECONDS:.0f})) +%Y-%m-%dT%H:%M:%SZ)"
    edit = f's/("Expiration": *)"[^"]*"/\\1"\'"{again}"\'"/'
    return f"[default]\ncredential_process = sed -E '{edit}' '{path}'\n"
