"""How is etcd made to forget what was? By its JSON gateway, in a program that runs on the network of its host."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any
from urllib.request import Request, urlopen

_FIRST_KEY = base64.b64encode(b"\0").decode()


def forget(url: str) -> int:
    """Compact etcd; returns the revision before which nobody can list or watch any more."""
    asked = _ask(f"{url}/v3/kv/range", key=_FIRST_KEY, range_end=_FIRST_KEY, limit=1, keys_only=True)
    revision = int(asked["header"]["revision"])
    _ask(f"{url}/v3/kv/compaction", revision=revision, physical=True)
    return revision


def _ask(url: str, **question: Any) -> dict[str, Any]:
    with urlopen(Request(url, data=json.dumps(question).encode()), timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


if __name__ == "__main__":
    print(forget(sys.argv[1]))
