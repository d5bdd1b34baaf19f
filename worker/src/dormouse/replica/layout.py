"""Which keys hold what? The layout of one workflow's data in the object store.

`<store prefix>/<namespace>/<name>/CURRENT` and `.../epochs/<8 digits>-<8 of owner>/`, which Litestream fills with
`<level>/<first txid>-<last txid>.ltx`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_LTX = re.compile(r"(?:^|/)[0-9a-f]{4}/([0-9a-f]{16})-([0-9a-f]{16})\.ltx$")
_MAGIC = b"LTX1"
_WRITTEN_AT = slice(32, 40)
HEADER_BYTES = 40
"""So much of an LTX file tells when its last transaction was written."""

LARGEST_EPOCH = 99_999_999
"""Of so many digits is the name of its folder: all order and all reading of keys rests on that."""
_EPOCH = re.compile(r"/epochs/(\d{8})-")


@dataclass(frozen=True)
class Layout:
    """The keys of one workflow. `root` has no slash at either end."""

    root: str

    @classmethod
    def of(cls, store_prefix: str, namespace: str, name: str) -> Layout:
        """Keys below `store_prefix`, which may be empty."""
        return cls("/".join(part for part in (store_prefix.strip("/"), namespace, name) if part))

    @property
    def current(self) -> str:
        return f"{self.root}/CURRENT"

    @property
    def probe(self) -> str:
        """A key that never exists where conditional writes work."""
        return f"{self.root}/.conditional-write-probe"

    def imported(self, key: str) -> str:
        """A SQLite file that a workflow of this namespace may begin with; no workflow has a name with a dot."""
        return f"{self.root.rpartition('/')[0]}/.imports/{key}"

    @property
    def epochs(self) -> str:
        return f"{self.root}/epochs/"

    def epoch(self, epoch: int, owner: str) -> str:
        """The prefix that the life `epoch` of the pod `owner` writes to, without a slash at its end."""
        return f"{self.root}/epochs/{epoch:08d}-{owner[:8]}"

    def is_own(self, prefix: str) -> bool:
        """Whether an epoch's prefix is this workflow's; that of a fork's source is not."""
        return prefix.startswith(self.epochs)


def first_transaction(prefix: str) -> str:
    """The key of the file that starts an epoch: a whole snapshot, since an epoch starts in an empty prefix."""
    return f"{prefix}/0000/{1:016x}-{1:016x}.ltx"


def transactions(key: str) -> tuple[int, int] | None:
    """The first and last txid of an LTX file, or None when the key is no LTX file."""
    found = _LTX.search(key)
    return (int(found[1], 16), int(found[2], 16)) if found else None


def written_at(header: bytes) -> datetime | None:
    """When the last transaction of an LTX file was written, by its node's clock; None when it is no LTX file."""
    if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
        return None
    return datetime.fromtimestamp(int.from_bytes(header[_WRITTEN_AT], "big") / 1000, UTC)


def epoch_of(key: str) -> int | None:
    """The epoch whose prefix holds this key."""
    found = _EPOCH.search(key)
    return int(found[1]) if found else None
