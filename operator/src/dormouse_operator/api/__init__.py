"""The API types of group dormouse.dev, version v1alpha1: parsed once, at the edge, by the CRDs' own rules."""

from dormouse_operator.api.durableworkflow import (
    AdoptedFrom,
    ConfigMapReference,
    DurableWorkflow,
    DurableWorkflowSpec,
    DurableWorkflowStatus,
    Executions,
    Failover,
    LastFailure,
    LastSeal,
    Source,
    Start,
    Storage,
    StoreReference,
    Template,
    TemplateMetadata,
    Volume,
)
from dormouse_operator.api.invalid import InvalidManifest
from dormouse_operator.api.metadata import Condition, ObjectMeta, Verdict
from dormouse_operator.api.objectstore import (
    CaBundle,
    ConfigMapKeyReference,
    Credentials,
    HeldObject,
    ObjectStore,
    ObjectStoreSpec,
    ObjectStoreStatus,
    SecretReference,
)
from dormouse_operator.api.parsing import API_VERSION, parse, to_document
from dormouse_operator.api.updates import validate_update

__all__ = [
    "API_VERSION",
    "parse",
    "to_document",
    "validate_update",
    "InvalidManifest",
    "DurableWorkflow",
    "DurableWorkflowSpec",
    "DurableWorkflowStatus",
    "Source",
    "ConfigMapReference",
    "Start",
    "Storage",
    "StoreReference",
    "Volume",
    "Template",
    "TemplateMetadata",
    "Failover",
    "AdoptedFrom",
    "Executions",
    "LastSeal",
    "LastFailure",
    "ObjectStore",
    "ObjectStoreSpec",
    "ObjectStoreStatus",
    "HeldObject",
    "CaBundle",
    "ConfigMapKeyReference",
    "Credentials",
    "SecretReference",
    "ObjectMeta",
    "Condition",
    "Verdict",
]
