"""On what may a decision rest, and what does one look like?"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dormouse_operator.api import DurableWorkflow, LastFailure
from dormouse_operator.plan.actions import Action, ReadCurrent
from dormouse_operator.plan.checks import Check
from dormouse_operator.plan.lives import Life
from dormouse_operator.plan.naming import FINALIZER
from dormouse_operator.plan.observed import CurrentSeen, CurrentUnread, Observed
from dormouse_operator.plan.pod import Settings

Phase = Literal["Pending", "Starting", "Running", "Stopping", "Suspended", "Stalled", "Completed", "Deleting"]
READ_AGAIN_SECONDS = 5.0


class Case(Struct, frozen=True, kw_only=True):
    """Everything that a decision may rest on."""

    dwf: DurableWorkflow
    observed: Observed
    now: datetime
    settings: Settings
    lives: tuple[Life, ...]
    checks: tuple[Check, ...] = ()

    @property
    def newest(self) -> Life | None:
        return self.lives[-1] if self.lives else None

    @property
    def last_epoch(self) -> int:
        """The newest epoch that a pod was asked to live in; 0 when none ever was."""
        return max(self.dwf.status.epoch, *(life.epoch for life in self.lives), 0)

    @property
    def forgot_its_lives(self) -> bool:
        """Whether there was a pod, as the finalizer says, and the status has lost its number: somebody wiped it."""
        return self.last_epoch == 0 and FINALIZER in self.dwf.metadata.finalizers

    @property
    def failures(self) -> int:
        """Failed lives in a row under this spec: a changed one gets a clean slate."""
        status = self.dwf.status
        return status.failures if status.observed_generation == self.dwf.metadata.generation else 0

    @property
    def sealed(self) -> bool:
        """Whether the newest life is known to have ended well."""
        own = self.own_current
        return own is not None and own.state == "Sealed" and own.epoch >= self.last_epoch

    @property
    def own_current(self) -> CurrentSeen | None:
        """CURRENT, when it was read and is this very object's."""
        current = self.observed.current
        if isinstance(current, CurrentSeen) and current.workflow_uid == self.dwf.metadata.uid:
            return current
        return None


class Step(Struct, frozen=True, kw_only=True):
    """`failure` is how the newest life ended badly, when that was found out now."""

    phase: Phase
    reason: str
    message: str
    actions: tuple[Action, ...] = ()
    wait_seconds: float | None = None
    failure: LastFailure | None = None
    created_epoch: int | None = None
    turn: Literal["", "wants", "takes"] = ""
    """Of those that follow a changed spec at once."""


class Trouble(Struct, frozen=True):
    reason: str
    message: str


def missing(case: Case) -> Trouble | None:
    """What the pod needs and is not there."""
    store, keys = case.observed.store, case.observed.secret_keys
    namespace = case.dwf.metadata.namespace
    if store is None:
        name = case.dwf.spec.storage.store_ref.name
        return Trouble(
            "StoreNotFound",
            f"spec.storage.storeRef.name: there is no ObjectStore `{name}` in namespace `{namespace}`; "
            "create it or name another",
        )
    if store.metadata.deletion_timestamp and case.last_epoch == 0:
        return Trouble(
            "StoreDeleted",
            f"ObjectStore `{store.metadata.name}` is being deleted; create it again once it is gone, or name another",
        )
    proven = store.status.condition("ConditionalWrites")
    if proven is not None and proven.status == "False":
        return Trouble("StoreRefused", f"ObjectStore `{store.metadata.name}` cannot be used: {proven.message}")
    secret = store.spec.credentials.secret_ref
    where = f"ObjectStore `{store.metadata.name}`: spec.credentials.secretRef"
    if keys is None:
        return Trouble(
            "SecretNotFound",
            f"{where}.name: there is no Secret `{secret.name}` in namespace `{namespace}`; create it",
        )
    for field, key in (
        ("accessKeyIdKey", secret.access_key_id_key),
        ("secretAccessKeyKey", secret.secret_access_key_key),
    ):
        if key not in keys:
            has = ", ".join(sorted(keys)) or "none"
            return Trouble(
                "SecretKeyMissing",
                f"{where}.{field}: Secret `{secret.name}` has no key `{key}` (it has: {has}); add it",
            )
    return None


def reading_current(case: Case) -> Step:
    current = case.observed.current
    error = current.error if isinstance(current, CurrentUnread) else ""
    return Step(
        phase="Pending",
        reason="StoreUnreachable" if error else "ReadingCurrent",
        message=error or "how the last life ended is read from the store",
        actions=(ReadCurrent(),),
        wait_seconds=READ_AGAIN_SECONDS,
    )


def stalled(trouble: Trouble | None) -> Step:
    told = trouble or Trouble("StoreNotFound", "there is no ObjectStore")
    return Step(phase="Stalled", reason=told.reason, message=told.message)
