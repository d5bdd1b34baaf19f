"""What does the pod of one life look like?"""

from typing import Any

from msgspec import UNSET, Struct, json

from dormouse_operator.api import DurableWorkflow, InvalidManifest, ObjectStore, check_nesting
from dormouse_operator.plan.identity import WORKFLOW_NAME, WORKFLOW_UID
from dormouse_operator.plan.manifests import labels, owner
from dormouse_operator.plan.naming import (
    ADOPT_RELEASED,
    ALLOW_EMPTY_RESTORE,
    CA_DIRECTORY,
    CA_FILE,
    DATA_DIRECTORY,
    EPOCH_LABEL,
    KEEPER_CONTAINER,
    KEEPER_PORT,
    KEEPS_OFF_ANNOTATION,
    REPORTS_AUDIENCE,
    RUNTIME_CONTAINER,
    RUNTIME_PORT,
    SAFE_TO_EVICT_ANNOTATION,
    SESSION_DIRECTORY,
    SESSION_FILE,
    SOURCE_DIRECTORY,
    TAKE_OVER_FROM,
    TEMPLATE_HASH_ANNOTATION,
    TOKEN_DIRECTORY,
    TOKEN_FILE,
    WORKER_IMAGE_ANNOTATION,
    pod_name,
    session_name,
    source_name,
)
from dormouse_operator.plan.template import merge_template
from dormouse_operator.plan.template_hash import template_hash

GRACE_SECONDS = 60
_LARGEST_INPUT_BYTES = 65536
_USER = 65532
_TOKEN_SECONDS = 3600
_RENEWED_EVERY_SECONDS = 10
"""By a kubelet its node's Lease: a quarter of nodeLeaseDurationSeconds, which is 40 unless somebody changes it."""


class Settings(Struct, frozen=True):
    """What the installation decides, the same for every DurableWorkflow."""

    worker_image: str = "dormouse-worker:0.1.0.dev0"
    """The keeper's image, and the runtime's when the DurableWorkflow brings only its source."""
    on_cluster: bool = False
    """Whether ObjectStores are probed before they are used, and deletions held until the data is released."""
    reports_url: str = ""
    """Where keepers post what they have to tell; empty where nobody listens."""
    checks_replays: bool = False
    """Whether `updatePolicy.replayCheck` is kept to."""
    max_concurrent_rolls: int = 0
    """So many workflows are replaced at once because their spec changed; 0 is without a bound."""
    sends_life: bool = False
    """Whether the operator sends the span of each life, which those of the pod are within."""


STOCK = Settings()


def build_pod(
    dwf: DurableWorkflow,
    store: ObjectStore,
    epoch: int,
    *,
    first_claim: bool,
    wake_reason: str = "",
    settings: Settings = STOCK,
    keep_off: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The manifest to create; InvalidManifest names the part of `spec.template` that may not be set.

    `keep_off`: nodes that are lost, which the scheduler learns only later.
    """
    pod = lasting_part(dwf, store, settings)
    digest = template_hash(dwf, store)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = pod_name(dwf.metadata.name, epoch)
    metadata["labels"][EPOCH_LABEL] = str(epoch)
    metadata["annotations"] |= {TEMPLATE_HASH_ANNOTATION: digest, WORKER_IMAGE_ANNOTATION: settings.worker_image}
    life = {"DORMOUSE_EPOCH": str(epoch)}
    keeper = {**life, "DORMOUSE_FIRST_CLAIM": flag(first_claim), **break_glass(dwf)}
    runtime = {**life, "DORMOUSE_APP_VERSION": digest, "DORMOUSE_WAKE_REASON": wake_reason, **_drill(dwf)}
    if settings.sends_life:
        runtime["DORMOUSE_OPERATOR_SENDS_LIFE"] = flag(True)
    for container, values in ((spec["initContainers"][0], keeper), (spec["containers"][0], runtime)):
        container["env"] = environment(values) + container["env"]
    if settings.reports_url:
        _let_report(spec, settings.reports_url)
    if keep_off:
        metadata["annotations"][KEEPS_OFF_ANNOTATION] = ",".join(sorted(keep_off))
        spec["affinity"] = keeping_off(spec.get("affinity") or {}, keep_off)
    return pod


def _let_report(spec: dict[str, Any], url: str) -> None:
    keeper = spec["initContainers"][0]
    keeper["env"] = [*keeper["env"], *environment({"DORMOUSE_OPERATOR_URL": url})]
    mount = {"name": "report-token", "mountPath": TOKEN_DIRECTORY, "readOnly": True}
    keeper["volumeMounts"] = [*keeper["volumeMounts"], mount]
    token = {"audience": REPORTS_AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": TOKEN_FILE}
    projected = {"sources": [{"serviceAccountToken": token}]}
    spec["volumes"] = [*spec["volumes"], {"name": "report-token", "projected": projected}]


def keeping_off(affinity: dict[str, Any], nodes: frozenset[str]) -> dict[str, Any]:
    """Without these nodes. The terms of a node selector are alternatives: each of them has to keep off."""
    node = affinity.get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    # Kubernetes takes one value in a field's requirement, no more.
    off = [{"key": "metadata.name", "operator": "NotIn", "values": [name]} for name in sorted(nodes)]
    terms = [
        {**term, "matchFields": [*(term.get("matchFields") or ()), *off]}
        for term in required.get("nodeSelectorTerms") or [{}]
    ]
    selector = {"requiredDuringSchedulingIgnoredDuringExecution": {**required, "nodeSelectorTerms": terms}}
    return {**affinity, "nodeAffinity": {**node, **selector}}


def build_source(dwf: DurableWorkflow, name: str = "") -> dict[str, Any] | None:
    """The ConfigMap of an inline source; without a name of its own it is that of the workflow's pods."""
    source = dwf.spec.source
    if source is None or not source.inline:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name or source_name(dwf.metadata.name, dwf.metadata.uid),
            "namespace": dwf.metadata.namespace,
            "labels": labels(dwf),
            "ownerReferences": [owner(dwf)],
        },
        "data": {f"{dwf.spec.entrypoint}.py": source.inline},
    }


def break_glass(dwf: DurableWorkflow) -> dict[str, str]:
    """Given to a life that needs it, and no reason to replace one that is well."""
    allowed = dwf.spec.storage.allow_empty_restore
    return {
        ALLOW_EMPTY_RESTORE: "" if allowed is None else str(allowed),
        ADOPT_RELEASED: flag(dwf.spec.adoption_policy == "Released"),
        TAKE_OVER_FROM: dwf.spec.storage.take_over_from,
    }


def lasting_part(dwf: DurableWorkflow, store: ObjectStore, settings: Settings) -> dict[str, Any]:
    """Everything that stays the same from life to life."""
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": dwf.metadata.namespace,
            "labels": labels(dwf),
            "annotations": {SAFE_TO_EVICT_ANNOTATION: "true"},
            "ownerReferences": [owner(dwf)],
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [_keeper(dwf, store, settings)],
            "containers": [_runtime(dwf, settings)],
            "volumes": _volumes(dwf, store, settings),
        },
    }
    return merge_template(pod, dwf.spec.template) if dwf.spec.template is not None else pod


def _keeper(dwf: DurableWorkflow, store: ObjectStore, settings: Settings) -> dict[str, Any]:
    mounts = _shared_mounts()
    if store.spec.ca_bundle is not None:
        mounts.append({"name": "store-ca", "mountPath": CA_DIRECTORY, "readOnly": True})
    if has_session(store, settings):
        mounts.append({"name": "store-session", "mountPath": SESSION_DIRECTORY, "readOnly": True})
    return {
        **_container(KEEPER_CONTAINER, settings.worker_image, "dormouse.keeper"),
        "restartPolicy": "Always",
        "env": _shared_environment(dwf) + _keeper_environment(dwf, store) + _keys(store, settings),
        "ports": [{"name": "keeper", "containerPort": KEEPER_PORT, "protocol": "TCP"}],
        "readinessProbe": _readiness("keeper"),
        "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}},
        "volumeMounts": mounts,
    }


def _keeper_environment(dwf: DurableWorkflow, store: ObjectStore) -> list[dict[str, Any]]:
    bundle = {} if store.spec.ca_bundle is None else {"DORMOUSE_STORE_CA_BUNDLE": f"{CA_DIRECTORY}/{CA_FILE}"}
    encryption = {"DORMOUSE_STORE_KMS_KEY_ID": store.spec.kms_key_id} if store.spec.kms_key_id else {}
    return environment(
        {
            "DORMOUSE_PORT": str(KEEPER_PORT),
            "DORMOUSE_STORE_ENDPOINT": store.spec.endpoint,
            "DORMOUSE_STORE_REGION": store.spec.region,
            "DORMOUSE_STORE_BUCKET": store.spec.bucket,
            "DORMOUSE_STORE_PREFIX": store.spec.prefix,
            "DORMOUSE_STORE_PATH_STYLE": flag(store.spec.path_style),
            **bundle,
            **encryption,
            "DORMOUSE_RETENTION_SECONDS": str(dwf.spec.storage.retention_seconds),
            "DORMOUSE_GRACE_SECONDS": str(GRACE_SECONDS),
            **_restore(dwf),
        }
    )


def has_session(store: ObjectStore, settings: Settings) -> bool:
    """Without an operator nobody mints any: pods have the Secret's keys then."""
    return settings.on_cluster and store.spec.credentials.sts is not None


def _keys(store: ObjectStore, settings: Settings) -> list[dict[str, Any]]:
    if has_session(store, settings):
        return environment({"DORMOUSE_STORE_SESSION_FILE": f"{SESSION_DIRECTORY}/{SESSION_FILE}"})
    secret = store.spec.credentials.secret_ref
    return [
        *_from_secret("DORMOUSE_STORE_ACCESS_KEY_ID", secret.name, secret.access_key_id_key),
        *_from_secret("DORMOUSE_STORE_SECRET_ACCESS_KEY", secret.name, secret.secret_access_key_key),
    ]


def _drill(dwf: DurableWorkflow) -> dict[str, str]:
    """The interval counts over all lives, so a new one is told when the last drill was."""
    if dwf.spec.drill is None:
        return {}
    last = dwf.status.last_drill
    return {
        "DORMOUSE_DRILL_SECONDS": str(dwf.spec.drill.interval_seconds),
        "DORMOUSE_LAST_DRILL": "" if last is None else last.time,
    }


def _restore(dwf: DurableWorkflow) -> dict[str, str]:
    """With what the first life begins; a later one that finds nothing of its own begins with the same again."""
    restore = dwf.spec.restore
    if restore is None:
        return {}
    imported = restore.from_object
    return {
        "DORMOUSE_RESTORE_FROM_NAME": restore.from_name,
        "DORMOUSE_RESTORE_FROM_OBJECT": "" if imported is None else imported.key,
        "DORMOUSE_RESTORE_SHA256": "" if imported is None else imported.sha256,
        "DORMOUSE_RESTORE_AT": restore.at,
        "DORMOUSE_RESTORE_EXECUTIONS": restore.executions,
    }


def _runtime(dwf: DurableWorkflow, settings: Settings) -> dict[str, Any]:
    mounts = _shared_mounts()
    if dwf.spec.source is not None:
        mounts.append({"name": "source", "mountPath": SOURCE_DIRECTORY, "readOnly": True})
    start = dwf.spec.start
    values = {
        "DORMOUSE_PORT": str(RUNTIME_PORT),
        "PYTHONHASHSEED": "0",  # the order of a set of strings must be the same in a replay
        "DORMOUSE_ENTRYPOINT": dwf.spec.entrypoint,
        "DORMOUSE_SOURCE": SOURCE_DIRECTORY,
        "DORMOUSE_START_WORKFLOW": start.workflow if start is not None else "",
        "DORMOUSE_START_INPUT": _input(dwf),
        # The node's silence counts from the last renewal of its Lease, which may be as old as that when it is cut off.
        "DORMOUSE_FENCE_SECONDS": str(dwf.spec.node_lost_seconds - _RENEWED_EVERY_SECONDS),
    }
    runs = ("dormouse.runtime",) if dwf.spec.exec is None else ("dormouse.guest", *dwf.spec.exec.command)
    return {
        **_container(RUNTIME_CONTAINER, dwf.spec.image or settings.worker_image, *runs),
        "env": _shared_environment(dwf) + environment(values),
        "ports": [{"name": "http", "containerPort": RUNTIME_PORT, "protocol": "TCP"}],
        "readinessProbe": _readiness("http"),
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "volumeMounts": mounts,
    }


def _input(dwf: DurableWorkflow) -> str:
    start = dwf.spec.start
    if start is None or start.input is UNSET:
        return ""
    check_nesting(start.input, "spec.start.input")
    # The kubelet expands $(NAME) in values; in JSON a dollar can be written without one.
    text = json.encode(start.input).decode().replace("$", "\\u0024")
    if len(text.encode()) > _LARGEST_INPUT_BYTES:
        raise InvalidManifest(
            "spec.start.input",
            f"is {len(text.encode())} bytes of JSON, more than {_LARGEST_INPUT_BYTES}",
            "put it into the store and pass its key",
        )
    return text


def _container(name: str, image: str, module: str, *arguments: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "command": ["python", "-m", module, *arguments],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _shared_environment(dwf: DurableWorkflow) -> list[dict[str, Any]]:
    storage = dwf.spec.storage
    values = {
        WORKFLOW_NAME: dwf.metadata.name,
        "DORMOUSE_NAMESPACE": dwf.metadata.namespace,
        WORKFLOW_UID: dwf.metadata.uid,
        "DORMOUSE_DIRECTORY": DATA_DIRECTORY,
        "DORMOUSE_DURABILITY": storage.durability,
        "DORMOUSE_MAX_LAG_SECONDS": str(storage.max_lag_seconds),
        "DORMOUSE_TERMINATION_LOG": "/dev/termination-log",
        "TMPDIR": "/tmp",  # noqa: S108 - a volume of the pod's own
    }
    uid = {"name": "DORMOUSE_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    return [*environment(values), uid]


def _shared_mounts() -> list[dict[str, Any]]:
    return [
        {"name": "data", "mountPath": DATA_DIRECTORY},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]


def _volumes(dwf: DurableWorkflow, store: ObjectStore, settings: Settings) -> list[dict[str, Any]]:
    data: dict[str, Any] = {}
    if (wanted := dwf.spec.storage.volume) is not None:
        if wanted.size_limit is not None:
            data["sizeLimit"] = wanted.size_limit
        if wanted.medium is not None:
            data["medium"] = wanted.medium
    volumes: list[dict[str, Any]] = [{"name": "data", "emptyDir": data}, {"name": "tmp", "emptyDir": {}}]
    if (source := dwf.spec.source) is not None:
        reference = source.config_map_ref
        name = reference.name if reference is not None else source_name(dwf.metadata.name, dwf.metadata.uid)
        volumes.append({"name": "source", "configMap": {"name": name}})
    if store.spec.ca_bundle is not None:
        bundle = store.spec.ca_bundle.config_map_ref
        items = [{"key": bundle.key, "path": CA_FILE}]
        volumes.append({"name": "store-ca", "configMap": {"name": bundle.name, "items": items}})
    if has_session(store, settings):
        name = session_name(dwf.metadata.name, dwf.metadata.uid)
        volumes.append({"name": "store-session", "secret": {"secretName": name, "defaultMode": 0o440}})
    return volumes


def _readiness(port: str) -> dict[str, Any]:
    return {"httpGet": {"path": "/readyz", "port": port}, "periodSeconds": 1, "timeoutSeconds": 2}


def environment(values: dict[str, str]) -> list[dict[str, Any]]:
    """As a container has it."""
    return [{"name": name, "value": value} for name, value in values.items()]


def _from_secret(variable: str, secret: str, key: str) -> list[dict[str, Any]]:
    """The value, and in words where to put it right."""
    value = {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
    return [value, *environment({f"{variable}_FROM": f"Secret `{secret}`, key `{key}`"})]


def flag(value: bool) -> str:
    """As the pod's programs read it."""
    return "true" if value else "false"
