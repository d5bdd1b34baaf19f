"""Which rules go beyond types? Each one stands in a CRD as CEL with the same path and the same message.

A test holds the two lists together and runs bad manifests through both.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct, json

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_POSITION = r"[1-9][0-9]*/[1-9][0-9]*"
_MOMENT = (
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
NAME_MESSAGE = "must be a Kubernetes name: small letters, digits, '-' and '.', such as `my-store`"
_ENDPOINT = r"https?://[^/?#@\s]+"
ENDPOINT_MESSAGE = "must be http(s)://host[:port] without user, path or query"
KEY_MESSAGE = "must be a key of the object's data: letters, digits, '-', '_' and '.'"


class Rule(Struct, frozen=True):
    """`holds` is asked with the value at `path`, and only when there is one."""

    path: str
    message: str
    holds: Callable[[Any], bool]


class UpdateRule(Struct, frozen=True):
    """`holds` is asked with the new and the old value at `path`."""

    path: str
    message: str
    holds: Callable[[Any, Any], bool]


def _matches(pattern: str | re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


def _same(read: Callable[[Any], Any]) -> Callable[[Any, Any], bool]:
    # Compared as JSON: Python would call 1 and true the same.
    return lambda new, old: json.encode(read(new), order="sorted") == json.encode(read(old), order="sorted")


def _is_positive_quantity(value: str | int) -> bool:
    if isinstance(value, int):
        return value > 0
    return re.fullmatch(r"[1-9][0-9]*(k|M|G|T|Ki|Mi|Gi|Ti)?", value) is not None


_NAMESPACE_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
_OUR_CONTAINER_FIELDS = ("securityContext", "image", "command", "args", "lifecycle")


def _sets_none_of(*fields: str) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, dict) or all(value.get(field) is None for field in fields)


def _every(field: str, holds: Callable[[Any], bool]) -> Callable[[dict[str, Any]], bool]:
    def all_hold(spec: dict[str, Any]) -> bool:
        items = spec.get(field)
        return not isinstance(items, list) or all(map(holds, items))

    return all_hold


def _container_rules(field: str, name: str) -> tuple[Rule, ...]:
    return (
        Rule(
            "spec.template.spec",
            f"{field} can only name `{name}`: a pod here has no other",
            _every(field, lambda container: isinstance(container, dict) and container.get("name") == name),
        ),
        Rule(
            "spec.template.spec",
            f"{field} cannot set securityContext, image, command, args or lifecycle: they are dormouse's own",
            _every(field, _sets_none_of(*_OUR_CONTAINER_FIELDS)),
        ),
    )


# `plan.template` refuses more, when a pod is planned: these are the ones that the API server itself must refuse.
_TEMPLATE_RULES = (
    Rule(
        "spec.template.spec",
        "hostNetwork, hostPID, hostIPC, hostUsers and shareProcessNamespace cannot be set: a pod shares no namespace",
        _sets_none_of(*_NAMESPACE_FIELDS),
    ),
    Rule(
        "spec.template.spec",
        "securityContext cannot be set: pods meet the Pod Security level `restricted`",
        _sets_none_of("securityContext"),
    ),
    Rule(
        "spec.template.spec",
        "volumes cannot be a hostPath: take a configMap, secret, emptyDir, csi or persistentVolumeClaim",
        _every("volumes", _sets_none_of("hostPath")),
    ),
    *_container_rules("containers", "runtime"),
    *_container_rules("initContainers", "litestream"),
)

RULES: dict[str, tuple[Rule, ...]] = {
    "DurableWorkflow": (
        Rule(
            "metadata",
            "metadata.name must be at most 52 small letters, digits and '-': pods are named NAME-e<epoch>",
            lambda metadata: len(metadata.name) <= 52 and _matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")(metadata.name),
        ),
        Rule(
            "spec",
            "needs `image` (an image with your module), `source` (your module on the stock image) or both",
            lambda spec: bool(spec.image) or spec.source is not None,
        ),
        Rule(
            "spec",
            "source.inline holds one module, so entrypoint must be a plain name without a dot",
            lambda spec: spec.source is None or not spec.source.inline or "." not in spec.entrypoint,
        ),
        Rule(
            "spec",
            "source.inline is mounted as `<entrypoint>.py`, so entrypoint can have at most 250 characters",
            lambda spec: spec.source is None or not spec.source.inline or len(spec.entrypoint) <= 250,
        ),
        Rule(
            "spec",
            "exec runs a command instead of workflows, so it goes neither with `start` nor with `drill`",
            lambda spec: spec.exec is None or (spec.start is None and spec.drill is None),
        ),
        Rule(
            "spec",
            "exec runs a command instead of workflows, so it has nothing that updatePolicy.replayCheck could replay",
            lambda spec: spec.exec is None or spec.update_policy is None or not spec.update_policy.replay_check,
        ),
        Rule("spec.image", "must be an image reference without blanks", _matches(r"\S+")),
        Rule("spec.entrypoint", "must be the name of a Python module, such as `pipeline`", _matches(MODULE)),
        Rule(
            "spec.source",
            "needs exactly one of `inline` and `configMapRef`",
            lambda source: bool(source.inline) != (source.config_map_ref is not None),
        ),
        Rule(
            "spec.source.inline",
            "must be at most 262144 bytes of UTF-8: more goes into an image, or a ConfigMap that configMapRef names",
            lambda text: len(text.encode()) <= 262144,
        ),
        Rule("spec.source.configMapRef.name", NAME_MESSAGE, _matches(DNS_SUBDOMAIN)),
        Rule("spec.start.workflow", "must be the name of a workflow, without blanks", _matches(r"\S+")),
        Rule("spec.storage.storeRef.name", NAME_MESSAGE, _matches(DNS_SUBDOMAIN)),
        Rule(
            "spec.storage.volume.sizeLimit",
            "must be a positive size, such as `512Mi` or `2Gi`",
            _is_positive_quantity,
        ),
        Rule(
            "spec.storage.takeOverFrom",
            "must be the metadata.uid of the DurableWorkflow that is replaced",
            _matches(r"[A-Za-z0-9-]+"),
        ),
        Rule(
            "spec",
            "restore begins a history of its own, so it goes neither with `adoptionPolicy: Released` nor with "
            "`storage.takeOverFrom`",
            lambda spec: (
                spec.restore is None or (not spec.storage.take_over_from and spec.adoption_policy != "Released")
            ),
        ),
        Rule(
            "spec.restore",
            "needs exactly one of `fromName` and `fromObject`",
            lambda restore: bool(restore.from_name) != (restore.from_object is not None),
        ),
        Rule(
            "spec.restore",
            "`at` goes with `fromName`: a file has only one state",
            lambda restore: not restore.at or bool(restore.from_name),
        ),
        Rule(
            "spec.restore.fromName",
            "must be the name of a DurableWorkflow: small letters, digits and '-'",
            _matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"),
        ),
        Rule(
            "spec.restore.fromObject.key",
            "must be a key below `.imports/`, such as `orders.sqlite`",
            _matches(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*"),
        ),
        Rule(
            "spec.restore.fromObject.sha256",
            "must be 64 digits of 0-9 and a-f, as `sha256sum` prints them",
            _matches(r"[0-9a-f]{64}"),
        ),
        Rule(
            "spec.restore.at",
            "must be a position such as `3/41`, or a time such as `2026-05-01T12:00:00Z`",
            _matches(f"{_POSITION}|{_MOMENT}"),
        ),
        *_TEMPLATE_RULES,
    ),
    "ObjectStore": (
        Rule("spec.endpoint", ENDPOINT_MESSAGE, _matches(_ENDPOINT)),
        Rule("spec.region", "must be a region name, such as `eu-central-1`", _matches(r"[A-Za-z0-9-]+")),
        Rule(
            "spec.bucket",
            "must be a bucket name: 3 to 63 small letters, digits, '-' and '.'",
            _matches(r"[a-z0-9][a-z0-9.-]*[a-z0-9]"),
        ),
        Rule(
            "spec.prefix",
            "must be a key prefix such as `team/prod`: no slash at either end, no empty, '.' or '..' part",
            lambda value: (
                re.fullmatch(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*", value) is not None
                and re.search(r"(^|/)\.\.?(/|$)", value) is None
            ),
        ),
        Rule("spec.caBundle.configMapRef.name", NAME_MESSAGE, _matches(DNS_SUBDOMAIN)),
        Rule("spec.caBundle.configMapRef.key", KEY_MESSAGE, _matches(r"[-._a-zA-Z0-9]+")),
        Rule(
            "spec.serverSideEncryption.kmsKeyId",
            "must be the id, the alias or the ARN of a KMS key: letters, digits and `:/_.-`",
            _matches(r"[A-Za-z0-9:/_.-]+"),
        ),
        Rule("spec.credentials.secretRef.name", NAME_MESSAGE, _matches(DNS_SUBDOMAIN)),
        Rule("spec.credentials.secretRef.accessKeyIdKey", KEY_MESSAGE, _matches(r"[-._a-zA-Z0-9]+")),
        Rule("spec.credentials.secretRef.secretAccessKeyKey", KEY_MESSAGE, _matches(r"[-._a-zA-Z0-9]+")),
        Rule(
            "spec.credentials.sts.roleArn",
            "must be the ARN of a role, such as `arn:aws:iam::123456789012:role/workflows`",
            _matches(r"arn:[^:\s]+:iam::[^:\s]*:role/\S+"),
        ),
        Rule("spec.credentials.sts.endpoint", ENDPOINT_MESSAGE, _matches(_ENDPOINT)),
    ),
}

UPDATE_RULES: dict[str, tuple[UpdateRule, ...]] = {
    "DurableWorkflow": (
        UpdateRule(
            "spec",
            "start cannot be changed: create another DurableWorkflow for another start",
            _same(lambda spec: spec.start),
        ),
        UpdateRule(
            "spec",
            "restore cannot be changed: a DurableWorkflow begins once; create another one for another restore",
            _same(lambda spec: spec.restore),
        ),
        UpdateRule(
            "spec.storage.storeRef",
            "cannot be changed: the data stays in the store that it was written to",
            _same(lambda reference: reference),
        ),
    ),
    "ObjectStore": (
        UpdateRule(
            "spec",
            "endpoint cannot be changed: create another ObjectStore for another place",
            _same(lambda spec: spec.endpoint),
        ),
        UpdateRule(
            "spec",
            "prefix cannot be changed: create another ObjectStore for another place",
            _same(lambda spec: spec.prefix),
        ),
        UpdateRule(
            "spec.bucket",
            "cannot be changed: create another ObjectStore for another place",
            _same(lambda bucket: bucket),
        ),
    ),
}


def value_at(document: Any, path: str) -> Any:
    """What stands at a path of the API's own names; None or empty when nothing does."""
    value = document
    for part in path.split("."):
        if value is None:
            return None
        position = value.__struct_encode_fields__.index(part)
        value = getattr(value, value.__struct_fields__[position])
    return value
