"""What does a pod's manifest say about the life in it?"""

from collections.abc import Mapping
from typing import Any

from msgspec import DecodeError, Struct, field, json

from dormouse_operator.plan.identity import check_of, epoch_of, is_watched
from dormouse_operator.plan.naming import (
    BREAK_GLASS,
    KEEPER_CONTAINER,
    KEEPS_OFF_ANNOTATION,
    RUNTIME_CONTAINER,
    TEMPLATE_HASH_ANNOTATION,
    WORKER_IMAGE_ANNOTATION,
)
from dormouse_operator.plan.obstacles import Obstacle, obstacle_of

ENDED_FOR_GOOD = frozenset({"StaleEpoch", "VolumeLost", "VolumeUntrusted", "Fenced"})
"""After these the pod can never live again: it is deleted and the next epoch is asked for."""

NEEDS_HELP = frozenset(
    {
        # the keeper's
        "CurrentMissing",
        "UnclaimedData",
        "NameTaken",
        "Deleting",
        "Released",
        "CurrentWentBack",
        "CurrentMalformed",
        "ReplicaMissing",
        "RestoreIncomplete",
        "ReplicaCorrupt",
        "IdentityMismatch",
        "RestoreSourceMissing",
        "RestoreSourceDeleting",
        "RestoreSourceBegins",
        "RestoreOutsideWindow",
        "ImportCorrupt",
        "StoreDenied",
        "BucketMissing",
        "ConditionalWritesUnsupported",
        # the runtime's
        "EntrypointFailed",
        "UnknownWorkflow",
        "InvalidInput",
        "NewerFile",
        # either's
        "DiskFull",
        "InvalidSettings",
    }
)
"""The container tries again in place; what it says is shown until it is ready or the spec changes."""


class Ending(Struct, frozen=True):
    """How a container ended: its own words if it left any, the kubelet's otherwise."""

    reason: str
    message: str = ""
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def seen_epoch(self) -> int:
        """The epoch that a StaleEpoch refusal ran into; 0 without one."""
        seen = self.said.get("seen")
        return seen if isinstance(seen, int) and self.reason == "StaleEpoch" else 0


class Life(Struct, frozen=True, kw_only=True):
    epoch: int
    pod: str
    uid: str
    template_hash: str
    worker_image: str
    """That of the installation when the pod was made."""
    image: str
    """Of the runtime."""
    keeper_image: str
    deleting: bool
    watched: bool
    """False once somebody took away the label that the watches ask for."""
    ended: bool
    failed: bool
    node: str
    keeps_off: frozenset[str]
    """The nodes that were lost when it was made: the scheduler may not put it there."""
    lost: bool
    keeper_ready: bool
    runtime_ready: bool
    keeper_ending: Ending | None
    runtime_ending: Ending | None
    obstacle: Obstacle | None
    evicted: bool
    why_failed: str
    break_glass: dict[str, str]

    @property
    def live(self) -> bool:
        """Whether it may still run and write; the next epoch waits for that to be over."""
        return not (self.ended or self.lost)

    @property
    def ready(self) -> bool:
        return self.keeper_ready and self.runtime_ready

    @property
    def endings(self) -> tuple[Ending, ...]:
        """The keeper's first: it is the one that knows about the store."""
        return tuple(ending for ending in (self.keeper_ending, self.runtime_ending) if ending is not None)

    def ending_in(self, reasons: frozenset[str]) -> Ending | None:
        """The first ending with one of these reasons."""
        return next((ending for ending in self.endings if ending.reason in reasons), None)


def read_lives(pods: tuple[Mapping[str, Any], ...], lost_nodes: frozenset[str]) -> tuple[Life, ...]:
    """Oldest epoch first. The pod of a check is no life."""
    lives = (read_life(pod, lost_nodes) for pod in pods if check_of(pod) is None)
    return tuple(sorted(lives, key=lambda life: life.epoch))


def read_life(pod: Mapping[str, Any], lost_nodes: frozenset[str] = frozenset()) -> Life:
    """A pod without status was just created: nothing in it has started."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    keeper = container_of(status.get("initContainerStatuses"), KEEPER_CONTAINER)
    runtime = container_of(status.get("containerStatuses"), RUNTIME_CONTAINER)
    phase = status.get("phase", "")
    ended = phase in ("Succeeded", "Failed")
    annotations = metadata.get("annotations") or {}
    return Life(
        epoch=epoch_of(metadata["name"]),
        pod=metadata["name"],
        uid=metadata.get("uid", ""),
        template_hash=annotations.get(TEMPLATE_HASH_ANNOTATION, ""),
        worker_image=annotations.get(WORKER_IMAGE_ANNOTATION, ""),
        image=container_of(spec.get("containers"), RUNTIME_CONTAINER).get("image", ""),
        keeper_image=container_of(spec.get("initContainers"), KEEPER_CONTAINER).get("image", ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        watched=is_watched(pod),
        ended=ended,
        failed=phase == "Failed",
        node=spec.get("nodeName") or "",
        keeps_off=keeps_off(metadata),
        lost=spec.get("nodeName") in lost_nodes,
        keeper_ready=not ended and _ready(keeper),
        runtime_ready=not ended and _ready(runtime),
        keeper_ending=ending_of(keeper),
        runtime_ending=ending_of(runtime),
        obstacle=None if ended else obstacle_of(status, keeper, runtime),
        evicted=status.get("reason") == "Evicted",
        why_failed=" ".join(str(status[key]) for key in ("reason", "message") if status.get(key)),
        break_glass=_break_glass(spec),
    )


def container_of(statuses: list[dict[str, Any]] | None, name: str) -> dict[str, Any]:
    """That of this name; empty when there is none yet."""
    return next((status for status in statuses or () if status.get("name") == name), {})


def _ready(container: Mapping[str, Any]) -> bool:
    return bool(container.get("ready")) and "terminated" not in (container.get("state") or {})


def ending_of(container: Mapping[str, Any]) -> Ending | None:
    """The latest ending that still counts: a container that got ready again has left it behind."""
    if _ready(container):
        return None
    ended = (container.get("state") or {}).get("terminated")
    ended = ended or (container.get("lastState") or {}).get("terminated")
    if not ended:
        return None
    text = ended.get("message") or ""
    try:
        said = json.decode(text)
    except (DecodeError, RecursionError):
        said = None
    if isinstance(said, dict) and isinstance(said.get("reason"), str):
        return Ending(said["reason"], str(said.get("message", "")), said)
    return Ending(ended.get("reason") or "Error", text.strip())


def keeps_off(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Which nodes the pod was made to keep off."""
    return frozenset(filter(None, (metadata.get("annotations") or {}).get(KEEPS_OFF_ANNOTATION, "").split(",")))


def _break_glass(spec: Mapping[str, Any]) -> dict[str, str]:
    keeper = container_of(spec.get("initContainers"), KEEPER_CONTAINER)
    return {entry["name"]: entry.get("value", "") for entry in keeper.get("env") or () if entry["name"] in BREAK_GLASS}
