"""Which rules go beyond types? Each one stands in a CRD as CEL with the same path and the same message.

A test holds the two lists together and runs bad manifests through both.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct, json

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
NAME_MESSAGE = "must be a Kubernetes name: small letters, digits, '-' and '.', such as `my-store`"
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
        Rule("spec.image", "must be an image reference without blanks", _matches(r"\S+")),
        Rule("spec.entrypoint", "must be the name of a Python module, such as `pipeline`", _matches(MODULE)),
        Rule(
            "spec.source",
            "needs exactly one of `inline` and `configMapRef`",
            lambda source: bool(source.inline) != (source.config_map_ref is not None),
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
    ),
    "ObjectStore": (
        Rule(
            "spec.endpoint",
            "must be http(s)://host[:port] without user, path or query",
            _matches(r"https?://[^/?#@\s]+"),
        ),
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
        Rule("spec.credentials.secretRef.name", NAME_MESSAGE, _matches(DNS_SUBDOMAIN)),
        Rule("spec.credentials.secretRef.accessKeyIdKey", KEY_MESSAGE, _matches(r"[-._a-zA-Z0-9]+")),
        Rule("spec.credentials.secretRef.secretAccessKeyKey", KEY_MESSAGE, _matches(r"[-._a-zA-Z0-9]+")),
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
