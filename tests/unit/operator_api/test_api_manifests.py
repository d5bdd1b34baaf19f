"""Do the CRDs and `parse` take and refuse the same manifests, and does `parse` say where and why?"""

from typing import Any

import pytest

from dormouse_operator.api import InvalidManifest, parse, validate_update
from unit.operator_api import crd
from unit.operator_samples import REMOVED, document

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("DurableWorkflow", {}),
    ("DurableWorkflow", {"spec.start": REMOVED}),
    ("DurableWorkflow", {"spec.source.inline": "ü" * 131072, "spec.entrypoint": "x" * 250}),
    ("DurableWorkflow", {"spec.source": {"configMapRef": {"name": "a" * 253}}, "spec.entrypoint": "x" * 253}),
    ("DurableWorkflow", {"spec.start.input": None}),
    ("DurableWorkflow", {"spec.start.input": [1, {"deep": [None, "text", 1.5]}]}),
    ("DurableWorkflow", {"spec.source": REMOVED, "spec.image": "example/app:1", "spec.entrypoint": "app.flows"}),
    ("DurableWorkflow", {"spec.source": {"configMapRef": {"name": "code"}}}),
    ("DurableWorkflow", {"spec.storage.durability": None, "spec.operatingMode": None}),
    ("DurableWorkflow", {"spec.storage.volume": {"sizeLimit": "2Gi", "medium": "Memory"}}),
    ("DurableWorkflow", {"spec.storage.volume": {"sizeLimit": 1048576}}),
    ("DurableWorkflow", {"spec.storage.allowEmptyRestore": 4, "spec.storage.takeOverFrom": "a-b-c"}),
    ("DurableWorkflow", {"spec.drill": {"intervalSeconds": 3600}}),
    ("DurableWorkflow", {"spec.exec": {"command": ["./server", ""]}, "spec.start": REMOVED}),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders"}}),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders", "at": "3/41", "executions": "Running"}}),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders", "at": "2026-05-01T12:00:00.25+02:00"}}),
    ("DurableWorkflow", {"spec.restore": {"fromObject": {"key": "old/orders.sqlite", "sha256": "0f" * 32}}}),
    ("DurableWorkflow", {"spec.adoptionPolicy": "Released", "spec.deletionPolicy": "Delete"}),
    ("DurableWorkflow", {"spec.template": {"metadata": {"labels": {"team": "a"}}, "spec": {"any": {"thing": 1}}}}),
    ("DurableWorkflow", {"spec.template": {"spec": {
        "containers": [{"name": "runtime", "resources": {"limits": {"memory": "1Gi"}}, "env": [{"name": "A"}]}],
        "initContainers": [{"name": "litestream", "resources": {}}],
        "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
        "serviceAccountName": "reader",
    }}}),
    ("ObjectStore", {}),
    ("ObjectStore", {"spec.endpoint": REMOVED, "spec.prefix": REMOVED, "spec.region": "eu-central-1"}),
    ("ObjectStore", {"spec.caBundle": {"configMapRef": {"name": "trust"}}}),
    ("ObjectStore", {"spec.credentials.sts": {"roleArn": "arn:minio:iam:::role/none"}}),
    ("ObjectStore", {"spec.credentials.sts": {
        "roleArn": "arn:aws:iam::123456789012:role/a/b", "endpoint": "https://sts.example.com", "durationSeconds": 900,
    }}),
    ("ObjectStore", {"spec.serverSideEncryption": {"kmsKeyId": "arn:aws:kms:eu-west-1:111122223333:key/1-2"}}),
]  # fmt: skip

BAD: list[tuple[str, dict[str, Any], str, str]] = [
    # kind, changes, the path that is named, a word of the remedy or the problem
    ("DurableWorkflow", {"apiVersion": "dormouse.dev/v1"}, "apiVersion", "dormouse.dev/v1alpha1"),
    ("DurableWorkflow", {"kind": "DurableWorkflw"}, "kind", "did you mean `DurableWorkflow`"),
    ("DurableWorkflow", {"metadata.name": REMOVED}, "metadata.name", "add it"),
    ("DurableWorkflow", {"metadata.name": "Report"}, "metadata", "small letters"),
    ("DurableWorkflow", {"metadata.name": "a" * 53}, "metadata", "52"),
    ("DurableWorkflow", {"spec": REMOVED}, "spec", "add it"),
    ("DurableWorkflow", {"spec": ["list"]}, "spec", "a mapping"),
    ("DurableWorkflow", {"specs": {}}, "specs", "did you mean `spec`"),
    ("DurableWorkflow", {"spec.images": "x"}, "spec.images", "did you mean `image`"),
    ("DurableWorkflow", {"spec.storage.durablity": "Sync"},
     "spec.storage.durablity", "did you mean `durability`"),
    ("DurableWorkflow", {"spec.storage.storeref": {}}, "spec.storage.storeref", "did you mean `storeRef`"),
    ("DurableWorkflow", {"spec.source": REMOVED}, "spec", "image"),
    ("DurableWorkflow", {"spec.source": None}, "spec.source", "remove the line"),
    ("DurableWorkflow", {"spec.source.configMapRef": {"name": "code"}}, "spec.source", "exactly one"),
    ("DurableWorkflow", {"spec.source": {}}, "spec.source", "exactly one"),
    ("DurableWorkflow", {"spec.source": {"configMapRef": {"name": "My Code"}}},
     "spec.source.configMapRef.name", "Kubernetes name"),
    ("DurableWorkflow", {"spec.source.inline": ""}, "spec.source.inline", "at least 1"),
    ("DurableWorkflow", {"spec.source.inline": 7}, "spec.source.inline", "text"),
    ("DurableWorkflow", {"spec.source.inline": "x" * 262145}, "spec.source.inline", "at most 262144"),
    ("DurableWorkflow", {"spec.source.inline": "ü" * 131073}, "spec.source.inline", "262144 bytes of UTF-8"),
    ("DurableWorkflow", {"spec.entrypoint": "x" * 251}, "spec", "at most 250 characters"),
    ("DurableWorkflow", {"spec.image": "two words"}, "spec.image", "blanks"),
    ("DurableWorkflow", {"spec.image": "line\n"}, "spec.image", "blanks"),
    ("DurableWorkflow", {"spec.entrypoint": "pipe-line"}, "spec.entrypoint", "module"),
    ("DurableWorkflow", {"spec.entrypoint": "pipeline.py.", "spec.source": {"configMapRef": {"name": "a"}}},
     "spec.entrypoint", "module"),
    ("DurableWorkflow", {"spec.entrypoint": "app.flows"}, "spec", "without a dot"),
    ("DurableWorkflow", {"spec.start": {"input": 1}}, "spec.start.workflow", "add it"),
    ("DurableWorkflow", {"spec.start.workflow": "my flow"}, "spec.start.workflow", "blanks"),
    ("DurableWorkflow", {"spec.start.args": []}, "spec.start.args", "known here"),
    ("DurableWorkflow", {"spec.storage": {}}, "spec.storage.storeRef", "add it"),
    ("DurableWorkflow", {"spec.storage": None}, "spec.storage", "give it a value"),
    ("DurableWorkflow", {"spec.storage.storeRef.name": "Local"},
     "spec.storage.storeRef.name", "Kubernetes name"),
    ("DurableWorkflow", {"spec.storage.storeRef": "local"}, "spec.storage.storeRef", "a mapping"),
    ("DurableWorkflow", {"spec.storage.durability": "sync"}, "spec.storage.durability", "`Sync`"),
    ("DurableWorkflow", {"spec.storage.durability": True}, "spec.storage.durability", "text"),
    ("DurableWorkflow", {"spec.storage.maxLagSeconds": 0}, "spec.storage.maxLagSeconds", "at least 1"),
    ("DurableWorkflow", {"spec.storage.maxLagSeconds": 86401}, "spec.storage.maxLagSeconds", "at most 86400"),
    ("DurableWorkflow", {"spec.storage.maxLagSeconds": "30"}, "spec.storage.maxLagSeconds", "whole number"),
    ("DurableWorkflow", {"spec.storage.maxLagSeconds": 1.5}, "spec.storage.maxLagSeconds", "whole number"),
    ("DurableWorkflow", {"spec.storage.maxLagSeconds": True}, "spec.storage.maxLagSeconds", "whole number"),
    ("DurableWorkflow", {"spec.storage.retentionSeconds": -1}, "spec.storage.retentionSeconds", "at least 0"),
    ("DurableWorkflow", {"spec.storage.volume": {"sizeLimit": "2 GB"}},
     "spec.storage.volume.sizeLimit", "512Mi"),
    ("DurableWorkflow", {"spec.storage.volume": {"sizeLimit": 0}},
     "spec.storage.volume.sizeLimit", "positive"),
    ("DurableWorkflow", {"spec.storage.volume": {"medium": "Disk"}},
     "spec.storage.volume.medium", "`Memory`"),
    ("DurableWorkflow", {"spec.storage.allowEmptyRestore": 0},
     "spec.storage.allowEmptyRestore", "at least 1"),
    ("DurableWorkflow", {"spec.storage.allowEmptyRestore": True},
     "spec.storage.allowEmptyRestore", "whole number"),
    ("DurableWorkflow", {"spec.drill": {"intervalSeconds": 1}}, "spec.drill.intervalSeconds", "at least 60"),
    ("DurableWorkflow", {"spec.drill": {}}, "spec.drill.intervalSeconds", "add it"),
    ("DurableWorkflow", {"spec.exec": {"command": ["./server"]}}, "spec", "neither with `start`"),
    ("DurableWorkflow", {"spec.exec": {"command": ["./server"]}, "spec.drill": {"intervalSeconds": 3600},
                         "spec.start": REMOVED}, "spec", "nor with `drill`"),
    ("DurableWorkflow", {"spec.exec": {"command": []}, "spec.start": REMOVED}, "spec.exec.command", "at least 1"),
    ("DurableWorkflow", {"spec.exec": {"command": "./server"}, "spec.start": REMOVED}, "spec.exec.command", "list"),
    ("ObjectStore", {"spec.serverSideEncryption": {}}, "spec.serverSideEncryption.kmsKeyId", "add it"),
    ("ObjectStore", {"spec.serverSideEncryption": {"kmsKeyId": "my key"}},
     "spec.serverSideEncryption.kmsKeyId", "ARN of a KMS key"),
    ("ObjectStore", {"spec.serverSideEncryption": {"algorithm": "AES256", "kmsKeyId": "k"}},
     "spec.serverSideEncryption.algorithm", "unknown field"),
    ("DurableWorkflow", {"spec.exec": {}, "spec.start": REMOVED}, "spec.exec.command", "add it"),
    ("DurableWorkflow", {"spec.restore": {}}, "spec.restore", "exactly one"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders", "fromObject": {"key": "a", "sha256": "0" * 64}}},
     "spec.restore", "exactly one"),
    ("DurableWorkflow", {"spec.restore": {"fromObject": {"key": "a", "sha256": "0" * 64}, "at": "1/2"}},
     "spec.restore", "`at` goes with `fromName`"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "Orders"}}, "spec.restore.fromName", "small letters"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "o", "at": "0/7"}}, "spec.restore.at", "`3/41`"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "o", "at": "yesterday"}}, "spec.restore.at", "a time such as"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "o", "at": "2026-05-01T12:00:00"}}, "spec.restore.at", "Z"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "o", "at": "2026-13-01T12:00:00Z"}}, "spec.restore.at", "Z"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "o", "executions": "paused"}},
     "spec.restore.executions", "Paused"),
    ("DurableWorkflow", {"spec.restore": {"fromObject": {"key": "../a", "sha256": "0" * 64}}},
     "spec.restore.fromObject.key", "below `.imports/`"),
    ("DurableWorkflow", {"spec.restore": {"fromObject": {"key": "a", "sha256": "A" * 64}}},
     "spec.restore.fromObject.sha256", "sha256sum"),
    ("DurableWorkflow", {"spec.restore": {"fromObject": {"key": "a"}}}, "spec.restore.fromObject.sha256", "add it"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders"}, "spec.adoptionPolicy": "Released"}, "spec", "neither"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders"}, "spec.storage.takeOverFrom": "a"}, "spec", "neither"),
    ("DurableWorkflow", {"spec.storage.takeOverFrom": "no blanks"},
     "spec.storage.takeOverFrom", "metadata.uid"),
    ("DurableWorkflow", {"spec.operatingMode": "Paused"}, "spec.operatingMode", "`Suspended`"),
    ("DurableWorkflow", {"spec.adoptionPolicy": "Always"}, "spec.adoptionPolicy", "`Released`"),
    ("DurableWorkflow", {"spec.template": {"spce": {}}}, "spec.template.spce", "did you mean `spec`"),
    ("DurableWorkflow", {"spec.template": {"metadata": {"labels": {"a": 1}}}},
     "spec.template.metadata.labels[...]", "text"),
    *(
        ("DurableWorkflow", {"spec.template": {"spec": spec}}, "spec.template.spec", words)
        for spec, words in (
            ({"hostNetwork": True}, "hostNetwork"),
            ({"hostPID": True}, "shares no namespace"),
            ({"hostIPC": False}, "shares no namespace"),
            ({"hostUsers": True}, "shares no namespace"),
            ({"shareProcessNamespace": True}, "shares no namespace"),
            ({"securityContext": {}}, "restricted"),
            ({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]}, "hostPath"),
            ({"containers": [{"name": "runtime", "securityContext": {"privileged": True}}]}, "dormouse's own"),
            ({"containers": [{"name": "runtime", "image": "other"}]}, "dormouse's own"),
            ({"containers": [{"name": "runtime", "command": ["sh"]}]}, "dormouse's own"),
            ({"containers": [{"name": "runtime", "args": ["-c"]}]}, "dormouse's own"),
            ({"containers": [{"name": "runtime", "lifecycle": {"preStop": {}}}]}, "dormouse's own"),
            ({"containers": [{"name": "runtime"}, {"name": "mine"}]}, "only name `runtime`"),
            ({"containers": [{"env": []}]}, "only name `runtime`"),
            ({"initContainers": [{"name": "litestream", "image": "other"}]}, "dormouse's own"),
            ({"initContainers": [{"name": "setup"}]}, "only name `litestream`"),
        )
    ),
    ("ObjectStore", {"spec.bucket": REMOVED}, "spec.bucket", "add it"),
    ("ObjectStore", {"spec.bucket": "Bad_Bucket"}, "spec.bucket", "bucket name"),
    ("ObjectStore", {"spec.bucket": "ab"}, "spec.bucket", "at least 3"),
    ("ObjectStore", {"spec.endpoint": "127.0.0.1:8333"}, "spec.endpoint", "http(s)://"),
    ("ObjectStore", {"spec.endpoint": "http://user:word@host"}, "spec.endpoint", "without user"),
    ("ObjectStore", {"spec.endpoint": "http://host/path"}, "spec.endpoint", "without user, path"),
    ("ObjectStore", {"spec.prefix": "/team"}, "spec.prefix", "no slash"),
    ("ObjectStore", {"spec.prefix": "team/../other"}, "spec.prefix", "'..'"),
    ("ObjectStore", {"spec.region": "eu central"}, "spec.region", "region"),
    ("ObjectStore", {"spec.pathStyle": "yes"}, "spec.pathStyle", "true or false"),
    ("ObjectStore", {"spec.credentials": REMOVED}, "spec.credentials", "add it"),
    ("ObjectStore", {"spec.credentials.secretRef.key": "a"}, "spec.credentials.secretRef.key", "known here"),
    ("ObjectStore", {"spec.credentials.secretRef.name": "-a"},
     "spec.credentials.secretRef.name", "Kubernetes name"),
    ("ObjectStore", {"spec.credentials.secretRef.accessKeyIdKey": "a b"},
     "spec.credentials.secretRef.accessKeyIdKey", "key"),
    ("ObjectStore", {"spec.credentials.secretRef.secretAccessKeyKey": "a/b"},
     "spec.credentials.secretRef.secretAccessKeyKey", "key"),
    ("ObjectStore", {"spec.caBundle": {"configMapRef": {"name": "A"}}},
     "spec.caBundle.configMapRef.name", "Kubernetes name"),
    ("ObjectStore", {"spec.caBundle": {"configMapRef": {"name": "a", "key": "?"}}},
     "spec.caBundle.configMapRef.key", "key"),
    ("ObjectStore", {"spec.caBundle": "PEM"}, "spec.caBundle", "a mapping"),
    ("ObjectStore", {"spec.credentials.sts": {}}, "spec.credentials.sts.roleArn", "add it"),
    ("ObjectStore", {"spec.credentials.sts": {"roleArn": "arn:aws:iam::1234:user/somebody"}},
     "spec.credentials.sts.roleArn", "the ARN of a role"),
    ("ObjectStore", {"spec.credentials.sts": {"roleArn": "arn:minio:iam:::role/none", "endpoint": "sts"}},
     "spec.credentials.sts.endpoint", "without user"),
    ("ObjectStore", {"spec.credentials.sts": {"roleArn": "arn:minio:iam:::role/none", "durationSeconds": 60}},
     "spec.credentials.sts.durationSeconds", "900"),
]  # fmt: skip

BAD_UPDATES: list[tuple[str, dict[str, Any], str]] = [
    ("DurableWorkflow", {"spec.start": REMOVED}, "start cannot be changed"),
    ("DurableWorkflow", {"spec.start.input": {"rows": 4}}, "start cannot be changed"),
    ("DurableWorkflow", {"spec.start.workflow": "other"}, "start cannot be changed"),
    ("DurableWorkflow", {"spec.restore": {"fromName": "orders"}}, "restore cannot be changed"),
    ("DurableWorkflow", {"spec.storage.storeRef.name": "other"}, "stays in the store"),
    ("ObjectStore", {"spec.endpoint": "http://127.0.0.2:8333"}, "endpoint cannot be changed"),
    ("ObjectStore", {"spec.endpoint": REMOVED}, "endpoint cannot be changed"),
    ("ObjectStore", {"spec.prefix": REMOVED}, "prefix cannot be changed"),
    ("ObjectStore", {"spec.bucket": "other"}, "create another ObjectStore"),
]


@pytest.mark.parametrize(("kind", "changes"), GOOD)
def test_both_take_a_good_manifest(kind: str, changes: dict[str, Any]) -> None:
    made = document(kind, changes)
    assert crd.refusals(kind, made) == []
    assert parse(made).kind == kind


@pytest.mark.parametrize(("kind", "changes", "path", "words"), BAD)
def test_both_refuse_a_bad_manifest_and_parse_names_the_path(
    kind: str, changes: dict[str, Any], path: str, words: str
) -> None:
    made = document(kind, changes)
    assert crd.refusals(kind, made)
    with pytest.raises(InvalidManifest) as refused:
        parse(made)
    assert refused.value.path == path
    assert words in str(refused.value)


@pytest.mark.parametrize(("kind", "changes", "words"), BAD_UPDATES)
def test_both_refuse_to_change_what_is_fixed_for_good(kind: str, changes: dict[str, Any], words: str) -> None:
    old, new = document(kind), document(kind, changes)
    assert any(words in refusal for refusal in crd.refusals(kind, new, old))
    with pytest.raises(InvalidManifest, match=words):
        validate_update(parse(old), parse(new))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("DurableWorkflow", {"spec.operatingMode": "Suspended", "spec.source.inline": "pass"}),
        ("DurableWorkflow", {"spec.storage.allowEmptyRestore": 2}),
        ("ObjectStore", {"spec.region": "eu-central-1", "spec.credentials.secretRef.name": "rotated"}),
    ],
)
def test_both_let_everything_else_change(kind: str, changes: dict[str, Any]) -> None:
    old, new = document(kind), document(kind, changes)
    assert crd.refusals(kind, new, old) == []
    validate_update(parse(old), parse(new))
