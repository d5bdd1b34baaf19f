"""What does an ObjectStore hold? The same fields as `crds/objectstores.yaml`, held to it by a test."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from dormouse_operator.api.metadata import Condition, ObjectMeta, ObjectName

DataKey = Annotated[str, Meta(min_length=1, max_length=253)]


class ConfigMapKeyReference(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    name: ObjectName
    key: DataKey = "ca.crt"


class CaBundle(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    config_map_ref: ConfigMapKeyReference


class SecretReference(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    name: ObjectName
    access_key_id_key: DataKey = "accessKeyId"
    secret_access_key_key: DataKey = "secretAccessKey"  # noqa: S105 - the name of a key, not a secret


class Sts(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Where each pod's own credentials are minted, for a role that the Secret's keys may assume."""

    role_arn: Annotated[str, Meta(min_length=20, max_length=2048)]
    endpoint: Annotated[str, Meta(min_length=1, max_length=512)] = ""
    """Empty: the store's own endpoint, or, where that is AWS, the region's STS."""
    duration_seconds: Annotated[int, Meta(ge=900, le=43200)] = 3600


class Credentials(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    secret_ref: SecretReference
    sts: Sts | None = None


class ServerSideEncryption(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The store encrypts what is written with a key of its key management service (SSE-KMS)."""

    kms_key_id: Annotated[str, Meta(min_length=1, max_length=2048)]


class ObjectStoreSpec(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    endpoint: Annotated[str, Meta(min_length=1, max_length=512)] = ""
    """Empty: AWS itself, found by the region."""
    region: Annotated[str, Meta(min_length=1, max_length=64)] = "us-east-1"
    bucket: Annotated[str, Meta(min_length=3, max_length=63)]
    prefix: Annotated[str, Meta(min_length=1, max_length=512)] = ""
    path_style: bool = False
    ca_bundle: CaBundle | None = None
    server_side_encryption: ServerSideEncryption | None = None
    credentials: Credentials

    @property
    def kms_key_id(self) -> str:
        """Empty: the store encrypts as its bucket does by itself."""
        return "" if self.server_side_encryption is None else self.server_side_encryption.kms_key_id


class HeldObject(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An object that may not be deleted while the store is in use."""

    kind: Literal["Secret", "ConfigMap"]
    name: str


class ObjectStoreStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    observed_generation: int = 0
    holds: tuple[HeldObject, ...] = ()
    """Recorded before any of them is held, so that none is forgotten when the spec names another."""
    conditions: tuple[Condition, ...] = ()

    def condition(self, type: str) -> Condition | None:  # noqa: A002 - the API's own word
        """The condition of that type, if it was ever set."""
        return next((condition for condition in self.conditions if condition.type == type), None)


class ObjectStore(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: ObjectStoreSpec
    status: ObjectStoreStatus = field(default_factory=ObjectStoreStatus)
