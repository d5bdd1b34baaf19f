"""What do both kinds share? Object metadata and conditions, as Kubernetes writes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

ConditionStatus = Literal["True", "False", "Unknown"]
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
ObjectName = Annotated[str, Meta(min_length=1, max_length=253)]


class ObjectMeta(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Fields that the project does not read are left to the API server, which may know newer ones."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[dict[str, Any], ...] = ()
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    resource_version: str | None = None


class Verdict(Struct, frozen=True):
    """What a condition says, without when."""

    status: ConditionStatus
    reason: str
    message: str


class Condition(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """metav1.Condition: `last_transition_time` moves only when `status` does."""

    type: Annotated[str, Meta(max_length=316)]
    status: ConditionStatus
    reason: Annotated[str, Meta(max_length=1024)]
    message: Annotated[str, Meta(max_length=32768)] = ""
    last_transition_time: Timestamp
    observed_generation: int = 0
