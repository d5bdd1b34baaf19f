"""Does the pod keep the contract that keeper, runtime and `dormouse dev` rely on?"""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow, InvalidManifest, LastDrill
from dormouse_operator.api.durableworkflow import (
    Disruption,
    Drill,
    DurableWorkflowSpec,
    Exec,
    Failover,
    Restore,
    Source,
    Start,
    Storage,
    StoreReference,
    Template,
    UpdatePolicy,
    Volume,
)
from dormouse_operator.plan import Settings, build_pod, build_source, template_hash
from unit.operator_samples import REMOVED, UID, store, with_status, workflow


def built(changes: dict[str, Any] | None = None, store_changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return build_pod(workflow(changes), store(store_changes), 3, first_claim=False, wake_reason="Restart")


def keeper_of(pod: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any]
    (container,) = pod["spec"]["initContainers"]
    return container


def runtime_of(pod: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any]
    (container,) = pod["spec"]["containers"]
    return container


def values(container: dict[str, Any]) -> dict[str, str]:
    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def test_the_pod_is_named_labelled_and_owned() -> None:
    metadata = built()["metadata"]
    assert metadata["name"] == "report-e3"
    assert metadata["namespace"] == "team"
    assert metadata["labels"] == {
        "dormouse.dev/name": "report",
        "dormouse.dev/epoch": "3",
        "app.kubernetes.io/managed-by": "dormouse",
    }
    assert metadata["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("DurableWorkflow", UID, True)


def test_the_keeper_is_a_native_sidecar_beside_the_runtime() -> None:
    spec = built()["spec"]
    keeper, runtime = keeper_of(built()), runtime_of(built())
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("OnFailure", 60)
    assert (keeper["name"], keeper["restartPolicy"]) == ("litestream", "Always")
    assert keeper["command"] == ["python", "-m", "dormouse.keeper"]
    assert runtime["command"] == ["python", "-m", "dormouse.runtime"]
    for container, name, port in ((keeper, "keeper", 8081), (runtime, "http", 8080)):
        assert container["ports"] == [{"name": name, "containerPort": port, "protocol": "TCP"}]
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": name}
        assert "startupProbe" not in container


def test_the_pod_fits_restricted_pod_security() -> None:
    pod = built()
    security = pod["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    for container in (keeper_of(pod), runtime_of(pod)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_both_containers_get_the_shared_environment() -> None:
    for container in (keeper_of(built()), runtime_of(built())):
        assert values(container) | {
            "DORMOUSE_NAME": "report",
            "DORMOUSE_NAMESPACE": "team",
            "DORMOUSE_WORKFLOW_UID": UID,
            "DORMOUSE_EPOCH": "3",
            "DORMOUSE_DIRECTORY": "/var/lib/dormouse",
            "DORMOUSE_DURABILITY": "Sync",
            "DORMOUSE_MAX_LAG_SECONDS": "30",
            "DORMOUSE_TERMINATION_LOG": "/dev/termination-log",
            "TMPDIR": "/tmp",
        } == values(container)
        assert {"name": "DORMOUSE_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}} in container[
            "env"
        ]


def test_only_the_keeper_gets_the_store_and_its_credentials() -> None:
    keeper, runtime = keeper_of(built()), runtime_of(built())
    assert {name: value for name, value in values(keeper).items() if name.startswith("DORMOUSE_STORE_")} == {
        "DORMOUSE_STORE_ENDPOINT": "http://127.0.0.1:8333",
        "DORMOUSE_STORE_REGION": "us-east-1",
        "DORMOUSE_STORE_BUCKET": "dormouse",
        "DORMOUSE_STORE_PREFIX": "team/prod",
        "DORMOUSE_STORE_PATH_STYLE": "true",
        "DORMOUSE_STORE_ACCESS_KEY_ID_FROM": "Secret `local`, key `accessKeyId`",
        "DORMOUSE_STORE_SECRET_ACCESS_KEY_FROM": "Secret `local`, key `secretAccessKey`",
    }
    secrets = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"]
        for entry in keeper["env"]
        if "secretKeyRef" in entry.get("valueFrom", {})
    }
    assert secrets == {
        "DORMOUSE_STORE_ACCESS_KEY_ID": {"name": "local", "key": "accessKeyId"},
        "DORMOUSE_STORE_SECRET_ACCESS_KEY": {"name": "local", "key": "secretAccessKey"},
    }
    assert not any("STORE" in entry["name"] for entry in runtime["env"])


def test_the_keeper_gets_the_terms_of_its_claim() -> None:
    terms = {
        "spec.storage.allowEmptyRestore": 2,
        "spec.storage.takeOverFrom": "old-uid",
        "spec.adoptionPolicy": "Released",
    }
    pod = built(terms)
    assert values(keeper_of(pod)) | {
        "DORMOUSE_PORT": "8081",
        "DORMOUSE_FIRST_CLAIM": "false",
        "DORMOUSE_ALLOW_EMPTY_RESTORE": "2",
        "DORMOUSE_TAKE_OVER_FROM": "old-uid",
        "DORMOUSE_ADOPT_RELEASED": "true",
        "DORMOUSE_RETENTION_SECONDS": "86400",
        "DORMOUSE_GRACE_SECONDS": "60",
    } == values(keeper_of(pod))


def test_the_keeper_gets_what_its_history_begins_with() -> None:
    def told(restore: dict[str, Any]) -> dict[str, str]:
        found = values(keeper_of(built({"spec.restore": restore})))
        return {name: value for name, value in found.items() if name.startswith("DORMOUSE_RESTORE_")}

    nothing = {"DORMOUSE_RESTORE_FROM_NAME": "", "DORMOUSE_RESTORE_FROM_OBJECT": "", "DORMOUSE_RESTORE_SHA256": ""}
    nothing |= {"DORMOUSE_RESTORE_AT": "", "DORMOUSE_RESTORE_EXECUTIONS": "Paused"}
    fork = {"fromName": "orders", "at": "3/41", "executions": "Running"}
    assert told(fork) == nothing | {
        "DORMOUSE_RESTORE_FROM_NAME": "orders",
        "DORMOUSE_RESTORE_AT": "3/41",
        "DORMOUSE_RESTORE_EXECUTIONS": "Running",
    }
    assert told({"fromObject": {"key": "orders.sqlite", "sha256": "0f" * 32}}) == nothing | {
        "DORMOUSE_RESTORE_FROM_OBJECT": "orders.sqlite",
        "DORMOUSE_RESTORE_SHA256": "0f" * 32,
    }
    assert not any(name.startswith("DORMOUSE_RESTORE_") for name in values(keeper_of(built())))


def test_the_runtime_is_told_how_often_to_drill_and_when_it_was_done_last() -> None:
    def told(dwf: DurableWorkflow) -> dict[str, str]:
        found = values(runtime_of(build_pod(dwf, store(), 2, first_claim=False)))
        return {name: value for name, value in found.items() if "DRILL" in name}

    dwf = workflow({"spec.drill": {"intervalSeconds": 3600}})
    assert told(workflow()) == {}
    assert told(dwf) == {"DORMOUSE_DRILL_SECONDS": "3600", "DORMOUSE_LAST_DRILL": ""}
    last = LastDrill(time="2026-03-01T12:00:00Z", position="1/7")
    assert told(with_status(dwf, replace(dwf.status, last_drill=last)))["DORMOUSE_LAST_DRILL"] == "2026-03-01T12:00:00Z"


def test_the_runtime_gets_its_code_and_its_start() -> None:
    pod = built()
    assert values(runtime_of(pod)) | {
        "DORMOUSE_PORT": "8080",
        "DORMOUSE_ENTRYPOINT": "pipeline",
        "DORMOUSE_SOURCE": "/etc/dormouse/source",
        "DORMOUSE_START_WORKFLOW": "main",
        "DORMOUSE_START_INPUT": '{"rows":3}',
        "DORMOUSE_APP_VERSION": pod["metadata"]["annotations"]["dormouse.dev/template-hash"],
        "DORMOUSE_WAKE_REASON": "Restart",
    } == values(runtime_of(pod))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (REMOVED, ("", "")),
        ({"workflow": "main"}, ("main", "")),
        ({"workflow": "main", "input": None}, ("main", "null")),
        ({"workflow": "main", "input": ""}, ("main", '""')),
    ],
)
def test_no_argument_and_a_null_argument_are_told_apart(start: Any, expected: tuple[str, str]) -> None:
    environment = values(runtime_of(built({"spec.start": start})))
    assert (environment["DORMOUSE_START_WORKFLOW"], environment["DORMOUSE_START_INPUT"]) == expected


def test_a_dollar_in_the_input_is_not_expanded_by_the_kubelet() -> None:
    value = {"template": "$(HOME) and $$(PATH)"}
    text = values(runtime_of(built({"spec.start.input": value})))["DORMOUSE_START_INPUT"]
    assert "$" not in text
    assert json.loads(text) == value


def test_an_input_that_does_not_fit_an_environment_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidManifest, match="put it into the store") as refused:
        built({"spec.start.input": "x" * 70000})
    assert refused.value.path == "spec.start.input"


def test_an_inline_source_becomes_a_module_in_a_config_map() -> None:
    config_map = build_source(workflow())
    assert config_map is not None
    assert config_map["metadata"]["name"] == f"report-source-{UID[:8]}"
    assert config_map["data"] == {"pipeline.py": "print('hello')\n"}
    pod = built()
    assert {"name": "source", "configMap": {"name": f"report-source-{UID[:8]}"}} in pod["spec"]["volumes"]
    mount = {"name": "source", "mountPath": "/etc/dormouse/source", "readOnly": True}
    assert mount in runtime_of(pod)["volumeMounts"]
    assert mount not in keeper_of(pod)["volumeMounts"]


def test_a_referenced_source_is_mounted_and_nothing_is_made() -> None:
    changes = {"spec.source": {"configMapRef": {"name": "code"}}}
    assert build_source(workflow(changes)) is None
    assert {"name": "source", "configMap": {"name": "code"}} in built(changes)["spec"]["volumes"]


def test_an_image_of_ones_own_runs_the_code_and_never_the_keeper() -> None:
    pod = built({"spec.image": "example/app:1", "spec.source": REMOVED})
    assert runtime_of(pod)["image"] == "example/app:1"
    assert keeper_of(pod)["image"] == Settings().worker_image
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["data", "tmp"]


def test_the_volume_has_the_size_and_medium_that_were_asked_for() -> None:
    pod = built({"spec.storage.volume": {"sizeLimit": "2Gi", "medium": "Memory"}})
    assert {"name": "data", "emptyDir": {"sizeLimit": "2Gi", "medium": "Memory"}} in pod["spec"]["volumes"]


def test_a_command_runs_in_the_place_of_the_runtime_under_its_guard() -> None:
    pod = built({"spec.exec": {"command": ["./server", "--listen", ":9000"]}, "spec.start": REMOVED})
    assert runtime_of(pod)["command"] == ["python", "-m", "dormouse.guest", "./server", "--listen", ":9000"]
    assert keeper_of(pod)["command"] == keeper_of(built())["command"]


def test_what_is_cut_off_right_before_its_node_renews_its_lease_is_quiet_when_that_counts_as_lost() -> None:
    assert values(runtime_of(built()))["DORMOUSE_FENCE_SECONDS"] == "10"
    earliest = built({"spec.failover": {"nodeLostSeconds": 15}})
    assert values(runtime_of(earliest))["DORMOUSE_FENCE_SECONDS"] == "5"
    later = built({"spec.failover": {"nodeLostSeconds": 90}})
    assert values(runtime_of(later))["DORMOUSE_FENCE_SECONDS"] == "80"
    assert template_hash(workflow({"spec.failover": {"nodeLostSeconds": 20}}), store()) == template_hash(
        workflow(), store()
    )


def test_a_ca_bundle_is_mounted_for_the_keeper_alone() -> None:
    pod = built(store_changes={"spec.caBundle": {"configMapRef": {"name": "trust", "key": "root.pem"}}})
    assert values(keeper_of(pod))["DORMOUSE_STORE_CA_BUNDLE"] == "/etc/dormouse/store-ca/ca.crt"
    (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "store-ca"]
    assert volume["configMap"] == {"name": "trust", "items": [{"key": "root.pem", "path": "ca.crt"}]}
    assert "store-ca" not in {mount["name"] for mount in runtime_of(pod)["volumeMounts"]}


def test_the_keeper_is_told_the_key_that_the_store_encrypts_with() -> None:
    pod = built(store_changes={"spec.serverSideEncryption": {"kmsKeyId": "orders-key"}})
    assert values(keeper_of(pod))["DORMOUSE_STORE_KMS_KEY_ID"] == "orders-key"
    assert "DORMOUSE_STORE_KMS_KEY_ID" not in values(keeper_of(built()))


def test_the_template_hash_ignores_what_changes_from_life_to_life() -> None:
    dwf, place = workflow(), store()
    hashes = {
        build_pod(dwf, place, epoch, first_claim=first, wake_reason=reason)["metadata"]["annotations"][
            "dormouse.dev/template-hash"
        ]
        for epoch, first, reason in ((1, True, "Start"), (2, False, "Restart"))
    }
    assert hashes == {template_hash(dwf, place)}


def test_the_template_hash_follows_the_store() -> None:
    assert template_hash(workflow(), store({"spec.region": "eu-central-1"})) != template_hash(workflow(), store())


# What no pod sees, or only the next one.
NO_REASON: dict[str, Any] = {
    "operating_mode": "Suspended",
    "update_policy": UpdatePolicy(type="Manual"),
    "disruption": Disruption(wait_for_idle_seconds=60),
    "deletion_policy": "Delete",
    "adoption_policy": "Released",
    "ttl_seconds_after_finished": 60,
    "restore": Restore(from_name="orders"),
}
NO_REASON_IN_STORAGE: dict[str, Any] = {"allow_empty_restore": 1, "take_over_from": "old-uid"}
A_REASON: dict[str, Any] = {
    "image": "example/app:2",
    "entrypoint": "other",
    "source": Source(inline="print('bye')\n"),
    "start": Start(workflow="other"),
    "exec": Exec(command=("./server",)),
    "drill": Drill(interval_seconds=3600),
    "failover": Failover(node_lost_seconds=60),
    "template": Template(spec={"nodeSelector": {"disk": "fast"}}),
}
A_REASON_IN_STORAGE: dict[str, Any] = {
    "store_ref": StoreReference(name="another"),
    "durability": "Async",
    "max_lag_seconds": 31,
    "retention_seconds": 1,
    "volume": Volume(size_limit="1Gi"),
}


def test_each_field_of_the_spec_is_known_to_be_a_reason_for_another_pod_or_none() -> None:
    assert {*NO_REASON, *A_REASON, "storage"} == set(DurableWorkflowSpec.__struct_fields__)
    assert {*NO_REASON_IN_STORAGE, *A_REASON_IN_STORAGE} == set(Storage.__struct_fields__)


def with_spec(spec: dict[str, Any], storage: dict[str, Any]) -> DurableWorkflow:
    dwf = workflow()
    return replace(dwf, spec=replace(dwf.spec, storage=replace(dwf.spec.storage, **storage), **spec))


def test_the_template_hash_ignores_what_no_pod_sees() -> None:
    assert template_hash(with_spec(NO_REASON, NO_REASON_IN_STORAGE), store()) == template_hash(workflow(), store())


@pytest.mark.parametrize("field", [*A_REASON, *A_REASON_IN_STORAGE])
def test_the_template_hash_follows_each_field_that_a_pod_sees(field: str) -> None:
    spec = {field: A_REASON[field]} if field in A_REASON else {}
    storage = {field: A_REASON_IN_STORAGE[field]} if field in A_REASON_IN_STORAGE else {}
    assert template_hash(with_spec(spec, storage), store()) != template_hash(workflow(), store())


def test_the_template_hash_of_an_object_stays_from_one_release_to_the_next() -> None:
    # If this fails, an upgrade of the operator would replace every pod. A default value must not change either.
    assert template_hash(workflow(), store()) == "cac98da62685c695"
