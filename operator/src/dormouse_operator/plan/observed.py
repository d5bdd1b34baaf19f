"""What does the shell know when it asks for a plan?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from dormouse.keeper.report import Report
from dormouse_operator.api import AdoptedFrom, ObjectStore


class CurrentUnread(Struct, frozen=True):
    """CURRENT was not read since a pod last changed, or could not be: then `error` says why."""

    error: str = ""


class CurrentAbsent(Struct, frozen=True):
    """The store answered that there is no CURRENT."""


class CurrentSeen(Struct, frozen=True):
    epoch: int
    state: str
    seal_reason: str | None = None
    next_wake_at: str | None = None
    workflow_uid: str = ""
    has_data: bool = True
    """False for the tombstone that stays of deleted data."""
    adopted_from: AdoptedFrom | None = None
    claimed_at: str = ""
    """When this epoch was, by the store's clock."""
    replicated: bool = False
    """Whether a life of it could be restored from what it uploaded itself."""
    restored_from: str = ""
    """The position that this epoch was restored from; empty for a first life."""

    @property
    def is_completed(self) -> bool:
        """Whether everything was closed when it was sealed: no life ever follows."""
        return self.state == "Sealed" and self.seal_reason == "Completed"


class CurrentMalformed(Struct, frozen=True):
    """CURRENT was read and says nothing: whether a life may start all the same is the keeper's to decide."""

    error: str = ""


class Session(Struct, frozen=True):
    """Of the credentials that were minted for the pods of this workflow."""

    made_for: str
    """As in the action that minted them."""
    renew_at: datetime


class Refusal(Struct, frozen=True):
    """The API server did not take the pod of the newest epoch, or what that pod needs."""

    message: str
    """As the API server put it."""
    wait_seconds: float = 0.0
    """How long it is too early to ask again."""


Current = CurrentUnread | CurrentAbsent | CurrentSeen | CurrentMalformed


class Observed(Struct, frozen=True, kw_only=True):
    """`pods`: the live manifests, with status, of all pods that the DurableWorkflow owns.

    `current` is forgotten (CurrentUnread) whenever one of them changes: what was read while a pod lived
    says nothing about how it ended. `secret_keys` are the keys of the store's Secret, None without a Secret.
    `secret_version` is another one whenever its values are. `session` is what was minted with them for the pods,
    `session_error` what stood in the way of that when it was tried last; `check_session` the same for checks.
    `lost_nodes` are confirmed as lost by the shell's own clock.
    `cordoned_nodes` are those that take no new pods, as when they are drained; None when that is not known.
    `has_budget` is None as long as nobody has looked whether there is a PodDisruptionBudget of the workflow;
    `budget_error` is what kept it from being made.
    `refusal` is there when the API server did not take the pod of the newest epoch when it was asked last, and
    `refused_check` says why it did not take that of a check;
    `namespace_ends` says that it never will, because the namespace is being deleted.
    `release_error` is what kept the data from being released when that was tried last.
    `may_roll`: it is this workflow's turn to be replaced because its spec changed, or there is no bound.
    `report` is the newest that a pod posted: for the status only, no action may rest on it.
    """

    pods: tuple[Mapping[str, Any], ...] = ()
    store: ObjectStore | None = None
    secret_keys: frozenset[str] | None = None
    secret_version: str = ""
    session: Session | None = None
    session_error: str = ""
    check_session: Session | None = None
    check_session_error: str = ""
    current: Current = CurrentUnread()
    lost_nodes: frozenset[str] = frozenset()
    cordoned_nodes: frozenset[str] | None = None
    has_budget: bool | None = None
    budget_error: str = ""
    refusal: Refusal | None = None
    refused_check: str = ""
    namespace_ends: bool = False
    release_error: str = ""
    report: Report | None = None
    may_roll: bool = True
