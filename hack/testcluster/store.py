"""Where is the object store? SeaweedFS on a host of its own, reached by the same address from pods and from tests."""

from __future__ import annotations

import json
import secrets
import sys
import urllib.request
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError

from testcluster.commands import ClusterError

BUCKET = "dormouse"
REGION = "us-east-1"
COMPONENT = "weed"
_FILER_PORT = 8888


@dataclass(frozen=True)
class StoreAccess:
    """All that a client of the store needs to know."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    bucket: str = BUCKET
    region: str = REGION

    def save(self, path: Path) -> None:
        """Keep it for later commands."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: Path) -> StoreAccess:
        """What `save` kept."""
        return cls(**json.loads(path.read_text()))

    @classmethod
    def fresh(cls, endpoint: str) -> StoreAccess:
        """New keys for a new store."""
        return cls(endpoint, f"DORMOUSE{secrets.token_hex(6).upper()}", secrets.token_hex(20))


def configure(folder: Path, access: StoreAccess) -> None:
    """Write the one identity that the server knows."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    keys = {"accessKey": access.access_key_id, "secretKey": access.secret_access_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "dormouse", "credentials": [keys], "actions": actions}
    config = folder / "s3.json"
    config.touch(mode=0o600)
    config.write_text(json.dumps({"identities": [identity]}))


def command(folder: Path, address: str, port: int, *, program: str | None = None) -> list[str]:
    """The server's command line; all its parts listen at this address."""
    return [
        program or str(weed()),
        "server",
        f"-dir={folder / 'data'}",
        f"-ip={address}",
        f"-ip.bind={address}",
        "-s3",
        f"-s3.port={port}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
        "-s3.autoCreateBucket=false",
        f"-filer.port={_FILER_PORT}",
        "-master.telemetry=false",
        "-volume.max=64",
    ]


# One new volume at a time: the default of seven a bucket would use up what is allowed.
ENVIRONMENT = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}


def create_bucket(address: str) -> bool:
    """Make the bucket; no when the server does not answer yet. One that exists is left as it is."""
    url = f"http://{address}:{_FILER_PORT}/buckets/{BUCKET}/"
    try:
        _lab_only().open(urllib.request.Request(url, method="POST"), timeout=5).close()
    except HTTPError as refused:
        with refused:
            return refused.code == HTTPStatus.CONFLICT
    except OSError:
        return False
    return True


def weed() -> Path:
    """SeaweedFS, as .venv has it."""
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        raise ClusterError(f"{program} is missing; run hack/environment")
    return program


def _lab_only() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
