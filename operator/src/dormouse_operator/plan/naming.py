"""What are the pods, their parts, labels and paths called? The contract between plan, keeper and runtime."""

NAME_LABEL = "dormouse.dev/name"
EPOCH_LABEL = "dormouse.dev/epoch"
CHECK_LABEL = "dormouse.dev/check"
"""Of a pod that only replays, for policies and people: its name says what it checks."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
TEMPLATE_HASH_ANNOTATION = "dormouse.dev/template-hash"
WORKER_IMAGE_ANNOTATION = "dormouse.dev/worker-image"
"""What the operator asked for: a webhook may have put a mirror's name into the pod."""
KEEPS_OFF_ANNOTATION = "dormouse.dev/keeps-off"
"""Of a pod: the nodes that were lost when it was made."""
ABANDON_ANNOTATION = "dormouse.dev/abandon-data"
"""`true` lets go of an object whose data can neither be released nor deleted, because its store is gone for good."""
FINALIZER = "dormouse.dev/data"
IN_USE_FINALIZER = "dormouse.dev/in-use"
"""Of an ObjectStore and of what it names: DurableWorkflows have data there."""
SAFE_TO_EVICT_ANNOTATION = "cluster-autoscaler.kubernetes.io/safe-to-evict"

ALLOW_EMPTY_RESTORE = "DORMOUSE_ALLOW_EMPTY_RESTORE"
ADOPT_RELEASED = "DORMOUSE_ADOPT_RELEASED"
TAKE_OVER_FROM = "DORMOUSE_TAKE_OVER_FROM"
BREAK_GLASS = (ALLOW_EMPTY_RESTORE, ADOPT_RELEASED, TAKE_OVER_FROM)
"""Settings of the keeper that a life without a database may wait for."""

KEEPER_CONTAINER = "litestream"
RUNTIME_CONTAINER = "runtime"
KEEPER_PORT = 8081
RUNTIME_PORT = 8080

DATA_DIRECTORY = "/var/lib/dormouse"
SOURCE_DIRECTORY = "/etc/dormouse/source"
CA_DIRECTORY = "/etc/dormouse/store-ca"
CA_FILE = "ca.crt"
TOKEN_DIRECTORY = "/var/run/dormouse"  # noqa: S105 - its place, not the token
TOKEN_FILE = "token"  # noqa: S105 - as above
SESSION_DIRECTORY = "/var/run/dormouse-store"
SESSION_FILE = "credentials.json"
SESSION_ANNOTATION = "dormouse.dev/session"
"""Of the Secret with a pod's own credentials: for what they were minted."""
RENEW_AT_ANNOTATION = "dormouse.dev/renew-at"
REPORTS_AUDIENCE = "dormouse.dev"
"""What a token for reports is good for: nothing else takes it, the API server neither."""


def pod_name(name: str, epoch: int) -> str:
    """A name that exists already is the guard against creating an epoch twice."""
    return f"{name}-e{epoch}"


def check_name(name: str, digest: str, attempt: int) -> str:
    """The pod of a check."""
    return f"{name}-check-{digest}-{attempt}"


def check_source_name(name: str, uid: str) -> str:
    """The ConfigMap with an inline source that is checked; the pod that runs must not see it yet."""
    return f"{name}-check-{uid[:8]}"


def check_session_name(name: str, uid: str) -> str:
    """The Secret with credentials that only read, for the pods of checks."""
    return f"{name}-check-store-{uid[:8]}"


def source_name(name: str, uid: str) -> str:
    """The ConfigMap that holds an inline source: not that of an older object of the name, which goes when it goes."""
    return f"{name}-source-{uid[:8]}"


def budget_name(name: str, uid: str) -> str:
    """The PodDisruptionBudget that refuses evictions of the workflow's pod."""
    return f"{name}-{uid[:8]}"


def session_name(name: str, uid: str) -> str:
    """The Secret with the credentials of the workflow's own pod."""
    return f"{name}-store-{uid[:8]}"
