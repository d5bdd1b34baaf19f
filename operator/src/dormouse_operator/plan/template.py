"""Which parts of the pod may a user's template set, and how do they come into it?

An allow list: what is not named here belongs to the pod's contract or to its security, and is refused by path.
"""

from posixpath import normpath
from typing import Any

from dormouse_operator.api import InvalidManifest, Template, check_nesting
from dormouse_operator.api.invalid import did_you_mean
from dormouse_operator.plan.naming import (
    KEEPER_CONTAINER,
    KEEPER_PORT,
    MANAGED_BY_LABEL,
    RUNTIME_CONTAINER,
    RUNTIME_PORT,
)

_POD_FIELDS = (
    "affinity",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "nodeSelector",
    "preemptionPolicy",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "serviceAccountName",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
)
_CONTAINER_FIELDS = {
    RUNTIME_CONTAINER: (
        "name",
        "env",
        "envFrom",
        "imagePullPolicy",
        "ports",
        "resources",
        "volumeMounts",
        "workingDir",
    ),
    KEEPER_CONTAINER: ("name", "env", "imagePullPolicy", "resources"),
}
_VOLUME_SOURCES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_OUR_VOLUMES = ("data", "tmp", "source", "store-ca", "store-session", "report-token")
_OUR_PATHS = ("/var/lib/dormouse", "/tmp", "/etc/dormouse", "/dev/termination-log")  # noqa: S108 - mount paths
# All others of this kind are the contract between the pod and what runs in it.
_LOGS = ("DORMOUSE_LOG_FORMAT", "DORMOUSE_LOG_LEVEL")
_YOUR_VARIABLES = {
    RUNTIME_CONTAINER: (
        "DORMOUSE_API_TOKEN_FILE",
        "DORMOUSE_ENCRYPTION_KEYS",
        "DORMOUSE_ENCRYPTION_KEYS_FILE",
        "DORMOUSE_KEEP_COUNT",
        "DORMOUSE_KEEP_SECONDS",
        "DORMOUSE_TELEMETRY",
        *_LOGS,
    ),
    KEEPER_CONTAINER: _LOGS,
}
_OUR_VARIABLES = ("PYTHONHASHSEED", "TMPDIR")
"""Besides all that begin with DORMOUSE_."""
_LONGEST_VARIABLE = 131072
"""With its name, `=` and a byte at its end; Linux gives no program a longer one, which then does not start."""
_OUR_PORTS = (RUNTIME_PORT, KEEPER_PORT)
_HOSTS_OWN = ("hostPort", "hostIP")
# Kubernetes' own patchMergeKey of each list that our pod has; every other list is taken as it is.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}


def merge_template(pod: dict[str, Any], template: Template) -> dict[str, Any]:
    """The pod with the template merged in; InvalidManifest names what may not be set."""
    _check_metadata(template)
    _check_spec(template.spec)
    metadata = template.metadata
    patch: dict[str, Any] = {"spec": template.spec}
    if metadata is not None:
        patch["metadata"] = {"labels": metadata.labels, "annotations": metadata.annotations}
    return _merge_mapping(pod, patch)


def _merge_mapping(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge_mapping(base.get(key) or {}, value)
        elif isinstance(value, list) and key in _MERGE_KEYS and key in base:
            merged[key] = _merge_items(base[key], value, _MERGE_KEYS[key])
        else:
            merged[key] = value
    return merged


def _merge_items(base: list[dict[str, Any]], patch: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    merged = {item[key]: item for item in base}
    for item in patch:
        merged[item[key]] = _merge_mapping(merged.get(item[key], {}), item)
    return list(merged.values())


def _check_metadata(template: Template) -> None:
    if template.metadata is None:
        return
    for part, entries in (
        ("labels", template.metadata.labels),
        ("annotations", template.metadata.annotations),
    ):
        for key in entries:
            if key.partition("/")[0].endswith("dormouse.dev") or key == MANAGED_BY_LABEL:
                raise _ours(f"spec.template.metadata.{part}.{key}")


def _check_spec(spec: dict[str, Any]) -> None:
    at = "spec.template.spec"
    check_nesting(spec, at)
    _check_fields(spec, _POD_FIELDS, at)
    for index, volume in enumerate(_items(spec, "volumes", at)):
        _check_volume(volume, f"{at}.volumes[{index}]")
    for field, ours in (("containers", RUNTIME_CONTAINER), ("initContainers", KEEPER_CONTAINER)):
        for index, container in enumerate(_items(spec, field, at)):
            here = f"{at}.{field}[{index}]"
            if container["name"] != ours:
                raise InvalidManifest(f"{here}.name", f"is `{container['name']}`", f"only `{ours}` is there")
            _check_container(container, here)
    _check_affinity(spec, at)


def _check_affinity(spec: dict[str, Any], at: str) -> None:
    """As far as the terms of the nodes, which are added to when one is lost."""
    inner, path = spec, at
    for field in ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"):
        path = f"{path}.{field}"
        value = inner.get(field)
        if value is None:
            return
        if not isinstance(value, dict):
            raise InvalidManifest(path, "must be a mapping")
        inner = value
    for index, term in enumerate(_list(inner, "nodeSelectorTerms", path)):
        here = f"{path}.nodeSelectorTerms[{index}]"
        if not isinstance(term, dict):
            raise InvalidManifest(here, "must be a mapping")
        if term.get("matchFields") is not None:
            _list(term, "matchFields", here)


def _check_container(container: dict[str, Any], at: str) -> None:
    _check_fields(container, _CONTAINER_FIELDS[container["name"]], at)
    for index, entry in enumerate(_items(container, "env", at)):
        name = str(entry["name"])
        is_ours = name.startswith("DORMOUSE_") and name not in _YOUR_VARIABLES[container["name"]]
        if is_ours or name in _OUR_VARIABLES:
            raise _ours(f"{at}.env[{index}].name", name)
        if len(f"{name}={entry.get('value') or ''}".encode()) >= _LONGEST_VARIABLE:
            told = f"takes {_LONGEST_VARIABLE} bytes or more with its name, and no program starts with that"
            raise InvalidManifest(f"{at}.env[{index}].value", told, "put it into a ConfigMap and mount that")
    for index, port in enumerate(_items(container, "ports", at)):
        if port["containerPort"] in _OUR_PORTS or port.get("name") in ("http", "keeper"):
            raise _ours(f"{at}.ports[{index}]", str(port["containerPort"]))
        for field in _HOSTS_OWN:
            if port.get(field):
                told = "cannot be set: pods meet the Pod Security level `restricted`"
                raise InvalidManifest(f"{at}.ports[{index}].{field}", told, "let a Service lead to the pod")
    for index, mount in enumerate(_items(container, "volumeMounts", at)):
        path = normpath(f"/{str(mount['mountPath']).lstrip('/')}")
        if any(_nested(path, ours) or _nested(ours, path) for ours in _OUR_PATHS):
            raise _ours(f"{at}.volumeMounts[{index}].mountPath", path)
        if mount.get("name") in _OUR_VOLUMES:
            raise _ours(f"{at}.volumeMounts[{index}].name", str(mount["name"]))


def _check_volume(volume: dict[str, Any], at: str) -> None:
    if volume["name"] in _OUR_VOLUMES:
        raise _ours(f"{at}.name", str(volume["name"]))
    _check_fields(volume, ("name", *_VOLUME_SOURCES), at)


def _check_fields(value: dict[str, Any], allowed: tuple[str, ...], at: str) -> None:
    for field in value:
        if field not in allowed:
            raise InvalidManifest(f"{at}.{field}", "cannot be set by a template", did_you_mean(field, allowed))


def _items(value: dict[str, Any], field: str, at: str) -> list[dict[str, Any]]:
    """A list whose items can be merged: mappings that all have the list's merge key."""
    items = _list(value, field, at)
    key = _MERGE_KEYS[field]
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise InvalidManifest(f"{at}.{field}[{index}]", "must be a mapping")
        if not isinstance(item.get(key), str | int):
            raise InvalidManifest(f"{at}.{field}[{index}].{key}", "is required", "add it")
    return items


def _list(value: dict[str, Any], field: str, at: str) -> list[Any]:
    """Empty without the field. One that is written and left empty would take away what is ours."""
    if field not in value:
        return []
    items = value[field]
    if items is None:
        raise InvalidManifest(f"{at}.{field}", "is empty", "give it a value or remove the line")
    if not isinstance(items, list):
        raise InvalidManifest(f"{at}.{field}", "must be a list")
    return items


def _nested(inner: str, outer: str) -> bool:
    return f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/")


def _ours(path: str, value: str = "") -> InvalidManifest:
    what = f"`{value}` is" if value else "is"
    return InvalidManifest(path, f"{what} set by dormouse and cannot be changed", "choose another name")
