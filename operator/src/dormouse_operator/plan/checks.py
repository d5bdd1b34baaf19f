"""What does a pod say about the replay check in it?"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from dormouse_operator.plan.identity import CheckIdentity, check_of
from dormouse_operator.plan.lives import Ending, container_of, ending_of
from dormouse_operator.plan.naming import KEEPER_CONTAINER, RUNTIME_CONTAINER
from dormouse_operator.plan.obstacles import Obstacle, obstacle_of

PASSED = "Replayed"
DIVERGED = "ReplayDiverged"


class Check(Struct, frozen=True, kw_only=True):
    """One try to replay the open executions with a changed spec."""

    pod: str
    uid: str
    digest: str
    """Of the spec and the store that it checks."""
    attempt: int
    deleting: bool
    ended: bool
    """Or its node is lost, and nobody will hear of its end."""
    passed: bool
    ending: Ending | None
    """Its own words, or why it said none."""
    obstacle: Obstacle | None
    ended_at: datetime

    @property
    def diverged(self) -> bool:
        """Whether it replayed, and something could not go on."""
        return self.ended and not self.passed and self.ending is not None and self.ending.reason == DIVERGED


def read_checks(pods: Iterable[Mapping[str, Any]], lost_nodes: frozenset[str]) -> tuple[Check, ...]:
    """Those among them that are checks, the newest attempt last."""
    found = [_read_check(pod, identity, lost_nodes) for pod in pods if (identity := check_of(pod)) is not None]
    return tuple(sorted(found, key=lambda check: (check.digest, check.attempt)))


def _read_check(pod: Mapping[str, Any], identity: CheckIdentity, lost_nodes: frozenset[str]) -> Check:
    metadata, status = pod["metadata"], pod.get("status") or {}
    restoring = container_of(status.get("initContainerStatuses"), KEEPER_CONTAINER)
    replaying = container_of(status.get("containerStatuses"), RUNTIME_CONTAINER)
    phase, is_lost = status.get("phase", ""), (pod.get("spec") or {}).get("nodeName") in lost_nodes
    ended = phase in ("Succeeded", "Failed")
    ending = _ending(status, replaying, restoring) if ended else None
    if is_lost and not ended:
        ending = Ending("NodeLost", f"the node of pod {metadata['name']} is lost")
    return Check(
        pod=metadata["name"],
        uid=metadata.get("uid", ""),
        digest=identity.digest,
        attempt=identity.attempt,
        deleting=bool(metadata.get("deletionTimestamp")),
        ended=ended or is_lost,
        # Anything that is not said in so many words has not passed.
        passed=phase == "Succeeded" and ending is not None and ending.reason == PASSED,
        ending=ending,
        obstacle=None if ended else obstacle_of(status, restoring, replaying),
        ended_at=_ended_at(metadata, replaying, restoring),
    )


def _ending(status: Mapping[str, Any], *containers: Mapping[str, Any]) -> Ending | None:
    """What a container said of itself tells most; then why the kubelet ended the pod; then how a container ended."""
    endings = [ending for container in containers if (ending := ending_of(container)) is not None]
    said = next((ending for ending in endings if ending.said), None)
    if said is not None:
        return said
    if status.get("reason"):
        return Ending(str(status["reason"]), str(status.get("message") or ""))
    return next(iter(endings), None)


def _ended_at(metadata: Mapping[str, Any], *containers: Mapping[str, Any]) -> datetime:
    ends = [((each.get("state") or {}).get("terminated") or {}).get("finishedAt") for each in containers]
    moments = [datetime.fromisoformat(end) for end in ends if end]
    # One without containers that ended was never started: it counts from its creation.
    return max(moments, default=datetime.fromisoformat(metadata.get("creationTimestamp") or "1970-01-01T00:00:00Z"))
