"""The API types of group dormouse.dev, version v1alpha1: parsed once, at the edge, by the CRDs' own rules."""

from dormouse_operator.api.durableworkflow import (
    ConfigMapReference,
    DurableWorkflow,
    DurableWorkflowSpec,
    DurableWorkflowStatus,
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
from dormouse_operator.api.metadata import Condition, ObjectMeta
from dormouse_operator.api.objectstore import (
    CaBundle,
    ConfigMapKeyReference,
    Credentials,
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
    "LastSeal",
    "LastFailure",
    "ObjectStore",
    "ObjectStoreSpec",
    "ObjectStoreStatus",
    "CaBundle",
    "ConfigMapKeyReference",
    "Credentials",
    "SecretReference",
    "ObjectMeta",
    "Condition",
]
