"""What does the store hold of a round? CURRENT, and a plain restore by Litestream, without any code of the keeper's."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from obstore.store import S3Store
from verdict import Restored

from dormouse.replica.current import Current, decode
from dormouse.replica.layout import Layout, transactions
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoredObject
from dormouse_operator.dev.seaweedfs import SeaweedFS
from stored_database import StoredDatabase

NAME, NAMESPACE = "chains", "default"


class Outside:
    """Looks at one workflow's prefix, past every proxy."""

    def __init__(self, server: SeaweedFS, prefix: str, folder: Path) -> None:
        self._location = Location(
            server.bucket, server.endpoint, server.region,
            access_key_id=server.access_key, secret_access_key=server.secret_key,
        )  # fmt: skip
        self._layout = Layout.of(prefix, NAMESPACE, NAME)
        self._folder = folder
        bucket = S3Store(
            server.bucket, endpoint=server.endpoint, region=server.region, access_key_id=server.access_key,
            secret_access_key=server.secret_key, virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )  # fmt: skip
        self._stored = StoredDatabase(self._location, self._layout, bucket)

    async def current(self) -> Current | None:
        """CURRENT; None while nobody has claimed."""
        found = await S3(self._location).get(self._layout.current)
        return decode(found.data) if isinstance(found, StoredObject) else None

    def restored(self) -> Restored:
        """The newest epoch, restored by position; what it was pinned to while it holds nothing."""
        try:
            entry = self._stored.current().entry
        except FileNotFoundError:
            return Restored()
        keys = [key for key in self._stored.epoch_objects() if key.startswith(entry.prefix + "/")]
        newest = max((found[1] for key in keys if (found := transactions(key))), default=0)
        if newest:
            prefix, txid = entry.prefix, newest
        elif entry.base is not None:
            prefix, txid = entry.base.prefix, entry.base.txid
        else:
            return Restored()
        target = self._folder / "restored.sqlite"
        try:
            self._stored.restore(prefix, txid, target)
            return read(target)
        except subprocess.CalledProcessError as error:
            return Restored(problems=(f"{prefix} up to {txid} cannot be restored: {error.stderr[-300:].decode()}",))
        except sqlite3.DatabaseError as error:
            return Restored(problems=(f"{prefix} up to {txid} cannot be read: {error}",))


def read(database: Path) -> Restored:
    """What a restored file holds of the workload."""
    with closing(sqlite3.connect(database)) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        rows = "SELECT chain, step, token FROM entry ORDER BY rowid"
        started = "SELECT id FROM execution ORDER BY key"
        return Restored(
            rows=connection.execute(rows).fetchall() if "entry" in tables else (),
            started=[row[0] for row in connection.execute(started)] if "execution" in tables else (),
            problems=[] if said == ["ok"] else said,
        )
