"""What changes on the cluster from now on? A watch that goes on when the API server or the network ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from dormouse.cluster.kubectl import Document, Kubectl, documents
from dormouse.cluster.refusals import NoAnswer

PAUSE_SECONDS, _MOST_DOUBLINGS = 1.0, 4


def pause_seconds(tries: int) -> float:
    """How long to wait before the cluster is asked again that did not answer so many times; 16 s at most."""
    return PAUSE_SECONDS * (1 << min(tries, _MOST_DOUBLINGS))


def changes(kubectl: Kubectl, *what: str, say: Callable[[str], None]) -> Iterator[tuple[str, Document]]:
    """Whether each object was ADDED, MODIFIED or DELETED, and what it is now; those that are there come first.

    The API server ends every watch after a while. Where one begins again, what is known already is not told again.

    Args:
        what: kind, name, selector, as `kubectl get` takes them.
        say: told once that the cluster does not answer.

    Raises:
        NoAnswer: when it has not answered yet.
        ClusterError: when it may not be watched.
    """
    known: dict[str, str] = {}
    tries, has_answered = 0, False
    while True:
        try:
            for event in documents(kubectl.lines("get", *what, "--watch", "--output-watch-events", "--output=json")):
                tries, has_answered = 0, True
                metadata = event["object"]["metadata"]
                uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
                if version and known.get(uid) == version:
                    continue
                known[uid] = version
                yield event["type"], event["object"]
            has_answered = True
        except NoAnswer as error:
            if not has_answered:
                raise
            tries += 1
            if tries == 1:
                say(f"{error}; it is asked again until it answers")
        time.sleep(pause_seconds(tries))
