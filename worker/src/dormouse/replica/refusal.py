"""For which reasons does a life not start, or end for good?

These words stand in termination messages, conditions and docs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """The first four end this pod, and the operator asks for the next epoch; the others wait for a person."""

    STALE_EPOCH = "StaleEpoch"
    VOLUME_LOST = "VolumeLost"
    VOLUME_UNTRUSTED = "VolumeUntrusted"
    FENCED = "Fenced"
    CURRENT_MISSING = "CurrentMissing"
    CURRENT_MALFORMED = "CurrentMalformed"
    CURRENT_WENT_BACK = "CurrentWentBack"
    UNCLAIMED_DATA = "UnclaimedData"
    NAME_TAKEN = "NameTaken"
    DELETING = "Deleting"
    RELEASED = "Released"
    REPLICA_MISSING = "ReplicaMissing"
    RESTORE_INCOMPLETE = "RestoreIncomplete"
    REPLICA_CORRUPT = "ReplicaCorrupt"
    IDENTITY_MISMATCH = "IdentityMismatch"
    STORE_DENIED = "StoreDenied"
    BUCKET_MISSING = "BucketMissing"
    CONDITIONAL_WRITES_UNSUPPORTED = "ConditionalWritesUnsupported"
    DISK_FULL = "DiskFull"
    RESTORE_SOURCE_MISSING = "RestoreSourceMissing"
    RESTORE_SOURCE_DELETING = "RestoreSourceDeleting"
    RESTORE_SOURCE_BEGINS = "RestoreSourceBegins"
    RESTORE_OUTSIDE_WINDOW = "RestoreOutsideWindow"
    IMPORT_CORRUPT = "ImportCorrupt"
    INVALID_SETTINGS = "InvalidSettings"


ENDS_THE_POD = frozenset({Reason.STALE_EPOCH, Reason.VOLUME_LOST, Reason.VOLUME_UNTRUSTED, Reason.FENCED})


@dataclass(frozen=True)
class Refusal:
    """Why not, in words that name the remedy; `facts` are for programs."""

    reason: Reason
    message: str
    facts: dict[str, int | str] = field(default_factory=dict)


class Refused(Exception):
    """Ends the life; carries the refusal to the termination message."""

    def __init__(self, reason: Reason, message: str, **facts: int | str) -> None:
        super().__init__(f"{reason}: {message}")
        self.refusal = Refusal(reason, message, facts)
