"""Which spec may pods have, where a changed one is checked first? The newest that is known to replay, or the first.

It stands in the status as a whole: a pod that is lost while the changed spec is checked, or after it was found to
diverge, is followed by one with the spec that it had.
"""

from msgspec import DecodeError, ValidationError, json
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow, DurableWorkflowSpec, InvalidManifest
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.template_hash import asked_of_pods

_LARGEST_BYTES = 1024**2
"""The API server keeps 1.5 MiB: the rest is for annotations, of which there may be 256 KiB, and for the status."""


def is_checked(case: Case) -> bool:
    """Whether a changed spec has to replay before a pod has it."""
    policy = case.dwf.spec.update_policy
    return case.settings.checks_replays and policy is not None and policy.replay_check


def accepted_spec(case: Case) -> DurableWorkflowSpec | None:
    """What the status says; None when it says nothing, or nothing that this operator understands."""
    try:
        return json.decode(case.dwf.status.accepted_spec or "null", type=DurableWorkflowSpec | None)
    except (DecodeError, ValidationError):
        return None


def encoded(spec: DurableWorkflowSpec) -> str:
    """For the status."""
    return json.encode(spec, order="sorted").decode()


def check_size(case: Case) -> None:
    """Of a spec that is kept twice. Raises InvalidManifest."""
    if is_too_large(case):
        raise InvalidManifest(
            "spec",
            f"takes more than {_LARGEST_BYTES} bytes with the copy of it in status.acceptedSpec",
            "put the source into an image or a ConfigMap, or set updatePolicy.replayCheck to false",
        )


def is_too_large(case: Case) -> bool:
    """Whether the object could not be written with the spec and a copy of it."""
    return is_checked(case) and _stored_bytes(encoded(case.dwf.spec)) > _LARGEST_BYTES


def _stored_bytes(text: str) -> int:
    """Of both, as the API server writes them: these three it escapes, and in a text what JSON escapes once more."""
    size = len(text.encode()) + 5 * sum(text.count(each) for each in "<>&")
    return 2 * size + sum(text.count(each) for each in '"\\')


def is_accepted(case: Case) -> bool:
    """Whether pods may have the spec as it is now."""
    if not is_checked(case):
        return True
    known = accepted_spec(case)
    # As JSON: what was left out and what was written as its default is the same.
    return known is not None and encoded(asked_of_pods(known)) == encoded(asked_of_pods(case.dwf.spec))


def with_accepted(case: Case) -> DurableWorkflow | None:
    """The workflow with what pods may see of its spec; None when that is not known."""
    if is_accepted(case):
        return case.dwf
    known = accepted_spec(case)
    if known is None:
        return None
    now = case.dwf.spec
    storage = replace(
        known.storage,
        allow_empty_restore=now.storage.allow_empty_restore,
        take_over_from=now.storage.take_over_from,
    )
    spec = replace(
        known,
        storage=storage,
        restore=now.restore,
        operating_mode=now.operating_mode,
        update_policy=now.update_policy,
        disruption=now.disruption,
        deletion_policy=now.deletion_policy,
        adoption_policy=now.adoption_policy,
        ttl_seconds_after_finished=now.ttl_seconds_after_finished,
    )
    return replace(case.dwf, spec=spec)
