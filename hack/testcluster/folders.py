"""Where does the test cluster keep its things? Builds in the user's cache, the running cluster in the user's state."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testcluster.commands import ClusterError

HERE = Path(__file__).resolve().parent
# A host of the lab has its own of these, empty at first: what lies there on this machine is out of its sight.
HIDDEN_IN_HOSTS = (Path("/run"), Path("/var/lib"), Path("/var/log"))


def cache_folder() -> Path:
    """What is expensive to make and can be made again."""
    return _user_folder("XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """The running cluster: gone after `down`."""
    folder = _user_folder("XDG_STATE_HOME", ".local/state")
    for hidden in HIDDEN_IN_HOSTS:
        if folder.is_relative_to(hidden):
            raise ClusterError(f"the cluster's hosts could not see {folder}; set XDG_STATE_HOME to outside {hidden}")
    return folder


def log_file(host: str, component: str) -> Path:
    """What one program on one host prints."""
    return state_folder() / "logs" / host / f"{component}.log"


@contextmanager
def only_one() -> Iterator[None]:
    """Nobody else builds, or brings the cluster up or down, meanwhile."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise ClusterError(
                "another `hack/cluster` is building or changing the cluster; wait for it to end"
            ) from taken
        yield


def _user_folder(variable: str, default: str) -> Path:
    base = os.environ.get(variable) or str(Path.home() / default)
    return Path(base).resolve() / "dormouse" / "cluster"
