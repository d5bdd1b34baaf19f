"""What does the store hold of a workflow, restored by Litestream alone? Used wherever tests look from outside."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import obstore
from obstore.store import S3Store

from dormouse.client.file import DatabaseFile
from dormouse.keeper.litestream import configuration, environment, program
from dormouse.replica.current import Current, decode
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location


@dataclass(frozen=True)
class StoredDatabase:
    """One workflow's place in a store."""

    location: Location
    layout: Layout
    bucket: S3Store

    def current(self) -> Current:
        """CURRENT as the store has it."""
        return decode(bytes(obstore.get(self.bucket, self.layout.current).bytes()))

    def epoch_objects(self) -> list[str]:
        """The keys of everything that Litestream wrote, of all epochs."""
        pages = obstore.list(self.bucket, self.layout.epochs, chunk_size=1000)
        return sorted(item["path"] for page in pages for item in page)

    def take_away_epochs(self) -> dict[str, bytes]:
        """Delete everything that Litestream wrote; what it was, to be put back."""
        taken = {key: bytes(obstore.get(self.bucket, key).bytes()) for key in self.epoch_objects()}
        for key in taken:
            obstore.delete(self.bucket, key)
        return taken

    def put_back(self, taken: Mapping[str, bytes]) -> None:
        """Undo `take_away_epochs`."""
        for key, content in taken.items():
            obstore.put(self.bucket, key, content)

    def restore(self, prefix: str, txid: int, target: Path) -> None:
        """Litestream's own restore of an epoch, checked in full."""
        document = configuration(self.location, prefix, target, "unused.sock", 3600)
        del document["socket"]
        config = target.with_suffix(".restore.json")
        config.write_text(json.dumps(document))
        subprocess.run(
            [program(), "restore", "-config", str(config), "-o", str(target), "-integrity-check", "full",
             "-txid", f"{txid:016x}", str(target)],
            check=True, capture_output=True, env=environment(self.location), timeout=120,
        )  # fmt: skip

    def result(self) -> list[str]:
        """The result of the execution, out of the sealed database."""
        entry = self.current().entry
        assert entry.sealed_txid is not None
        with tempfile.TemporaryDirectory(prefix="dormouse-result-") as folder:
            target = Path(folder) / "db.sqlite"
            self.restore(entry.prefix, entry.sealed_txid, target)
            with DatabaseFile(target) as database:
                outcome = database.outcome("main")
        assert isinstance(outcome.result, msgspec.Raw)
        return msgspec.json.decode(outcome.result, type=list[str])
