"""What did the user ask for, in one word? It changes exactly when a running pod has to be replaced to follow the spec.

Made from the spec and not from the pod: an operator of another release makes other pods from the same spec, and that
alone is no reason to end one that runs. What is not set does not count, so that a new field changes no hash.
"""

import hashlib

from msgspec import json
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow, DurableWorkflowSpec, ObjectStore, ObjectStoreSpec, Sts
from dormouse_operator.api.durableworkflow import Failover, Template, Volume


def template_hash(dwf: DurableWorkflow, store: ObjectStore) -> str:
    """Of what a pod sees of the two."""
    return hashlib.sha256(json.encode([asked_of_pods(dwf.spec), _seen(store.spec)], order="sorted")).hexdigest()[:16]


def asked_of_pods(spec: DurableWorkflowSpec) -> DurableWorkflowSpec:
    """The spec without what a pod does not see of it."""
    storage = spec.storage
    volume = None if storage.volume == Volume() else storage.volume
    return replace(
        spec,
        template=None if spec.template == Template() else spec.template,
        storage=replace(storage, volume=volume, allow_empty_restore=None, take_over_from=""),
        operating_mode="Running",
        failover=None if spec.node_lost_seconds == Failover().node_lost_seconds else spec.failover,
        update_policy=None,
        disruption=None,
        deletion_policy="Retain",
        adoption_policy="Never",
        ttl_seconds_after_finished=None,
        restore=None,
    )


def _seen(spec: ObjectStoreSpec) -> ObjectStoreSpec:
    """What of a store is in the pod: where credentials are minted is not, only that they are."""
    sts = None if spec.credentials.sts is None else Sts(role_arn="")
    return replace(spec, credentials=replace(spec.credentials, sts=sts))
