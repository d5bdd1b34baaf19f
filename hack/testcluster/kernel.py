"""Which settings of this machine does the cluster change, and what were they before?"""

from __future__ import annotations

import json
from pathlib import Path

_SYSCTL = Path("/proc/sys")
# Two kubelets and their containers watch more files than a desktop does.
_AT_LEAST = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 524288}
# A kubelet sets these by itself.
_SET_BY_KUBELETS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def prepare(record: Path) -> None:
    """Write down what there is, then raise what is too low."""
    before = {name: _read(name) for name in (*_AT_LEAST, *_SET_BY_KUBELETS) if (_SYSCTL / name).exists()}
    record.write_text(json.dumps(before, indent=2))
    for name, least in _AT_LEAST.items():
        if int(before[name]) < least:
            (_SYSCTL / name).write_text(str(least))


def restore(record: Path) -> None:
    """Set everything back to what was written down, if anything was."""
    if not record.exists():
        return
    for name, value in json.loads(record.read_text()).items():
        if _read(name) != value:
            (_SYSCTL / name).write_text(value)


def _read(name: str) -> str:
    return (_SYSCTL / name).read_text().strip()
