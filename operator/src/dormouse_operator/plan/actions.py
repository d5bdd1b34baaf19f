"""What may a plan ask for?

The shell writes `Plan.status` before it applies the actions: an epoch that is recorded and never created
costs a number, one that is created and never recorded could be used twice.
"""

from typing import Any, Literal

from msgspec import Struct

from dormouse_operator.api import DurableWorkflowStatus


class CreatePod(Struct, frozen=True):
    """Refused quietly when the name exists: somebody created it already."""

    manifest: dict[str, Any]


class CreateCheck(Struct, frozen=True):
    """The pod of a replay check, which is no life; refused quietly as a life's."""

    manifest: dict[str, Any]


class DeletePod(Struct, frozen=True):
    """Only the pod with this UID; without `grace_seconds` it gets the grace of its own spec."""

    name: str
    uid: str
    grace_seconds: int | None = None


class ApplyConfigMap(Struct, frozen=True):
    """Create or replace; one that the DurableWorkflow does not own must not be replaced."""

    manifest: dict[str, Any]


class MintSession(Struct, frozen=True):
    """Put credentials that may do what `policy` says into the Secret; those that are there and good are kept."""

    manifest: dict[str, Any]
    policy: str
    made_for: str
    """Another one whenever other credentials are needed."""


class ApplyBudget(Struct, frozen=True):
    """Create the PodDisruptionBudget unless that was done; one of its name that is there already is fine."""

    manifest: dict[str, Any]


class DeleteBudget(Struct, frozen=True):
    """One that is gone is fine."""

    name: str


class ReadCurrent(Struct, frozen=True):
    """Read CURRENT from the store and plan again at once; when it fails, after `requeue_after_seconds`.

    `is_for_status`: no decision rests on it. The status is not written before there is an answer, or soon none:
    what it says belongs into the same write.
    """

    is_for_status: bool = False


class EmitEvent(Struct, frozen=True):
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class AddFinalizer(Struct, frozen=True):
    """Before the first pod: from then on there is data that a deletion has to wait for."""


class LeaveStore(Struct, frozen=True):
    """The store and its Secret may go as far as this object is concerned: it has no data any more."""


class DeleteWorkflow(Struct, frozen=True):
    """The object itself, unless somebody changed it meanwhile: its time after its end is over."""


class RemoveFinalizer(Struct, frozen=True):
    """The object may go."""


class ReleaseData(Struct, frozen=True):
    """Write into CURRENT that nobody lives here any more, or remove everything; then read CURRENT again.

    `epoch` is the newest that was ever used: what stays of deleted data says that it never is again.
    """

    policy: Literal["Retain", "Delete"]
    epoch: int


Action = (
    CreatePod
    | CreateCheck
    | DeletePod
    | ApplyConfigMap
    | MintSession
    | ApplyBudget
    | DeleteBudget
    | ReadCurrent
    | AddFinalizer
    | DeleteWorkflow
    | LeaveStore
    | RemoveFinalizer
    | ReleaseData
    | EmitEvent
)


class Plan(Struct, frozen=True):
    actions: tuple[Action, ...]
    status: DurableWorkflowStatus
    requeue_after_seconds: float | None = None
    wants_turn: bool = False
    """It would roll if it were its turn."""
