"""What does a DurableWorkflow hold? The same fields as `crds/durableworkflows.yaml`, held to it by a test.

An optional text is empty when it is absent; the CRD refuses an empty one that is written out.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, field

from dormouse_operator.api.metadata import Condition, ObjectMeta, ObjectName, Timestamp

Durability = Literal["Sync", "Async"]
OperatingMode = Literal["Running", "Suspended"]
DeletionPolicy = Literal["Retain", "Delete"]
AdoptionPolicy = Literal["Never", "Released"]
Quantity = Annotated[str, Meta(min_length=1, max_length=32)] | int


class ConfigMapReference(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    name: ObjectName


class Source(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """The user's code, mounted read-only; exactly one of the two is set."""

    inline: Annotated[str, Meta(min_length=1, max_length=262144)] = ""
    config_map_ref: ConfigMapReference | None = None


class Start(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    workflow: Annotated[str, Meta(min_length=1, max_length=253)]
    input: Any = UNSET
    """UNSET: the workflow is called without an argument; None is the JSON value null."""


class StoreReference(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    name: ObjectName


class Volume(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    size_limit: Quantity | None = None
    medium: Literal["Memory"] | None = None


class Storage(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    store_ref: StoreReference
    durability: Durability = "Sync"
    max_lag_seconds: Annotated[int, Meta(ge=1, le=86400)] = 30
    retention_seconds: Annotated[int, Meta(ge=0, le=315360000)] = 86400
    volume: Volume | None = None
    allow_empty_restore: Annotated[int, Meta(ge=1)] | None = None
    take_over_from: Annotated[str, Meta(min_length=1, max_length=64)] = ""


class ImportedObject(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A SQLite file below `.imports/` of the namespace's folder in the store."""

    key: Annotated[str, Meta(min_length=1, max_length=512)]
    sha256: Annotated[str, Meta(min_length=64, max_length=64)]


class Restore(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """What the first life begins with; exactly one of the first two is set."""

    from_name: Annotated[str, Meta(min_length=1, max_length=52)] = ""
    from_object: ImportedObject | None = None
    at: Annotated[str, Meta(min_length=1, max_length=64)] = ""
    executions: Literal["Paused", "Running"] = "Paused"


class Exec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A command that runs instead of workflows."""

    command: Annotated[tuple[Annotated[str, Meta(max_length=4096)], ...], Meta(min_length=1, max_length=256)]


class Drill(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How often a restore is tried out beside the live file."""

    interval_seconds: Annotated[int, Meta(ge=60, le=31536000)]


class TemplateMetadata(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class Template(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A partial pod template; `plan.template` says which parts may be set."""

    metadata: TemplateMetadata | None = None
    spec: dict[str, Any] = field(default_factory=dict)


class Failover(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    node_lost_seconds: Annotated[int, Meta(ge=15, le=86400)] = 20
    """A kubelet renews every ten seconds: one missed renewal is not enough."""


class UpdatePolicy(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """When a running pod is replaced to follow a changed spec."""

    type: Literal["Immediate", "OnIdle", "Manual"] = "Immediate"
    replay_check: bool = False
    """Whether the open executions are replayed with the changed spec first."""


class Disruption(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """How long a pod may stay on a cordoned node for an execution that runs something."""

    wait_for_idle_seconds: Annotated[int, Meta(ge=1, le=86400)]


class DurableWorkflowSpec(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    image: Annotated[str, Meta(min_length=1, max_length=1024)] = ""
    entrypoint: Annotated[str, Meta(min_length=1, max_length=253)] = "main"
    source: Source | None = None
    start: Start | None = None
    storage: Storage
    restore: Restore | None = None
    exec: Exec | None = None
    drill: Drill | None = None
    operating_mode: OperatingMode = "Running"
    failover: Failover | None = None
    update_policy: UpdatePolicy | None = None
    disruption: Disruption | None = None
    deletion_policy: DeletionPolicy = "Retain"
    adoption_policy: AdoptionPolicy = "Never"
    ttl_seconds_after_finished: Annotated[int, Meta(ge=0, le=2147483647)] | None = None
    template: Template | None = None

    @property
    def node_lost_seconds(self) -> int:
        """After how long a silent node is lost."""
        return (self.failover or Failover()).node_lost_seconds


class Executions(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many are open, and how many of these do what."""

    open: int = 0
    running: int = 0
    sleeping: int = 0
    waiting: int = 0
    retrying: int = 0
    blocked: int = 0


class LastSeal(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The last life that ended well, as CURRENT records it."""

    epoch: int
    reason: str
    next_wake_at: str = ""


class AdoptedFrom(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Whose data this was before, up to which epoch."""

    uid: str
    epoch: int


class LastFailure(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The last life that did not; its time is what the backoff counts from."""

    epoch: int
    reason: str
    message: str = ""
    time: Timestamp


class RecoveryWindow(Struct, frozen=True, kw_only=True, rename="camel"):
    """Between which moments every one can be restored, as the pod told last."""

    begins: Timestamp = field(name="from")
    ends: Timestamp = field(name="to")


class LastDrill(Struct, frozen=True, kw_only=True, rename="camel"):
    """The last restore that was tried out as `spec.drill` asks; the condition `Drilled` says what came of it."""

    time: Timestamp
    position: str


class DurableWorkflowStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Unknown fields are ignored: a newer operator may have written them."""

    observed_generation: int = 0
    phase: str = ""
    epoch: int = 0
    """The newest epoch that a pod was ever asked to live in."""
    pod_name: str = ""
    claimed: bool = False
    """True for good once a claim was seen: from then on nothing may start empty."""
    node: str = ""
    """Of the pod that runs now."""
    image: str = ""
    """Of the runtime in it."""
    keeper_image: str = ""
    claimed_at: Timestamp = ""
    """When the newest epoch was claimed, by the store's clock."""
    restored_at: Timestamp = ""
    restored_from: str = ""
    """`epoch/txid` that the newest epoch was restored from; empty when that is not known yet or there was nothing."""
    adopted_from: AdoptedFrom | None = None
    position: str = ""
    recovery_window: RecoveryWindow | None = None
    last_drill: LastDrill | None = None
    executions: Executions | None = None
    waiting_for: str = ""
    """One sentence for a person, as the running pod told it last."""
    next_wake_at: str = ""
    last_seal: LastSeal | None = None
    failures: int = 0
    """Lives in a row that ended without getting ready or sealing."""
    last_failure: LastFailure | None = None
    accepted_spec: str = ""
    """As JSON, with `updatePolicy.replayCheck`: the newest that pods may have."""
    rolling_since: Timestamp = ""
    """While it is one of those that are replaced at once because their spec changed."""
    conditions: tuple[Condition, ...] = ()

    def condition(self, type: str) -> Condition | None:  # noqa: A002 - the API's own word
        """The condition of that type, if it was ever set."""
        return next((condition for condition in self.conditions if condition.type == type), None)

    def is_true(self, type: str) -> bool:  # noqa: A002 - the API's own word
        """Whether that condition is known to hold."""
        condition = self.condition(type)
        return condition is not None and condition.status == "True"


class DurableWorkflow(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: DurableWorkflowSpec
    status: DurableWorkflowStatus = field(default_factory=DurableWorkflowStatus)
