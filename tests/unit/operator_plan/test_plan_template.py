"""What may a user's template change, and how are its lists merged?"""

from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace

from dormouse_operator.api import InvalidManifest, Template
from dormouse_operator.plan import build_pod
from unit.operator_samples import store, workflow

PLAIN = build_pod(workflow(), store(), 1, first_claim=True)


def built(template: dict[str, Any]) -> dict[str, Any]:
    """Not parsed: an API server with older CRDs takes what ours refuses."""
    sample = workflow()
    spec = replace(sample.spec, template=convert(template, Template))
    return build_pod(replace(sample, spec=spec), store(), 1, first_claim=True)


def runtime_of(pod: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any]
    (container,) = pod["spec"]["containers"]
    return container


def test_an_empty_template_changes_nothing() -> None:
    assert built({}) == PLAIN


def test_labels_and_annotations_are_added() -> None:
    metadata = built({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})["metadata"]
    assert metadata["labels"] == {**PLAIN["metadata"]["labels"], "team": "a"}
    assert metadata["annotations"]["note"] == "b"


def test_scheduling_is_taken_over() -> None:
    wanted = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "runtimeClassName": "gvisor",
        "serviceAccountName": "reports",
        "priorityClassName": "low",
    }
    spec = built({"spec": wanted})["spec"]
    assert {name: spec[name] for name in wanted} == wanted


def test_the_runtime_container_is_merged_by_name() -> None:
    container = runtime_of(
        built(
            {
                "spec": {
                    "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
                    "containers": [
                        {
                            "name": "runtime",
                            "env": [{"name": "MODE", "value": "fast"}],
                            "resources": {"requests": {"memory": "1Gi"}, "limits": {"cpu": None}},
                            "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
                        }
                    ],
                }
            }
        )
    )
    plain = runtime_of(PLAIN)
    assert container["command"] == plain["command"]
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "1Gi"}, "limits": {}}
    assert container["env"][-1] == {"name": "MODE", "value": "fast"}
    assert container["volumeMounts"] == [
        *plain["volumeMounts"],
        {"name": "models", "mountPath": "/models", "readOnly": True},
    ]


def test_the_keeper_may_get_other_resources_and_a_proxy() -> None:
    pod = built(
        {
            "spec": {
                "initContainers": [
                    {
                        "name": "litestream",
                        "resources": {"limits": {"memory": "256Mi"}},
                        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
                    }
                ]
            }
        }
    )
    (keeper,) = pod["spec"]["initContainers"]
    assert keeper["resources"]["limits"] == {"memory": "256Mi"}
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in keeper["env"]


def test_the_runtime_gets_the_keys_of_a_secret() -> None:
    entry = {
        "name": "DORMOUSE_ENCRYPTION_KEYS",
        "valueFrom": {"secretKeyRef": {"name": "orders-keys", "key": "keys"}},
    }
    assert entry in runtime_of(built(in_runtime(env=[entry])))["env"]


def in_runtime(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "runtime", **fields}]}}


def in_keeper(**fields: Any) -> dict[str, Any]:
    return {"spec": {"initContainers": [{"name": "litestream", **fields}]}}


def test_the_api_asks_for_a_token_of_a_secret() -> None:
    secret: dict[str, Any] = {
        "volumes": [{"name": "api-token", "secret": {"secretName": "shop-api"}}],
        "containers": [
            {
                "name": "runtime",
                "env": [{"name": "DORMOUSE_API_TOKEN_FILE", "value": "/run/api-token/token"}],
                "volumeMounts": [{"name": "api-token", "mountPath": "/run/api-token", "readOnly": True}],
            }
        ],
    }
    container = runtime_of(built({"spec": secret}))
    assert secret["containers"][0]["env"][0] in container["env"]
    assert secret["containers"][0]["volumeMounts"][0] in container["volumeMounts"]


@pytest.mark.parametrize("name", ["DORMOUSE_LOG_FORMAT", "DORMOUSE_LOG_LEVEL"])
def test_both_containers_are_told_how_to_log(name: str) -> None:
    variable = {"name": name, "value": "json"}
    pod = built({"spec": in_runtime(env=[variable])["spec"] | in_keeper(env=[variable])["spec"]})
    for container in (*pod["spec"]["containers"], *pod["spec"]["initContainers"]):
        assert variable in container["env"]


_RUNTIME, _KEEPER = "spec.template.spec.containers[0]", "spec.template.spec.initContainers[0]"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (in_runtime(command=["sh"]), f"{_RUNTIME}.command"),
        (in_runtime(image="other"), f"{_RUNTIME}.image"),
        (in_runtime(securityContext={"privileged": True}), f"{_RUNTIME}.securityContext"),
        (in_runtime(readinessProbe=None), f"{_RUNTIME}.readinessProbe"),
        (in_runtime(env=[{"name": "DORMOUSE_EPOCH", "value": "9"}]), f"{_RUNTIME}.env[0].name"),
        (in_keeper(env=[{"name": "DORMOUSE_API_TOKEN_FILE", "value": "/t"}]), f"{_KEEPER}.env[0].name"),
        (in_keeper(env=[{"name": "DORMOUSE_ENCRYPTION_KEYS", "value": "9"}]), f"{_KEEPER}.env[0].name"),
        (in_keeper(env=[{"name": "DORMOUSE_EPOCH", "value": "9"}]), f"{_KEEPER}.env[0].name"),
        (in_runtime(env=[{"value": "9"}]), f"{_RUNTIME}.env[0].name"),
        (in_runtime(env={"A": "b"}), f"{_RUNTIME}.env"),
        (in_runtime(env=["A"]), f"{_RUNTIME}.env[0]"),
        (in_runtime(ports=[{"containerPort": 8080}]), f"{_RUNTIME}.ports[0]"),
        (
            in_runtime(volumeMounts=[{"name": "x", "mountPath": "/var/lib/dormouse/"}]),
            f"{_RUNTIME}.volumeMounts[0].mountPath",
        ),
        (in_runtime(volumeMounts=[{"name": "x", "mountPath": "/"}]), f"{_RUNTIME}.volumeMounts[0].mountPath"),
        (in_runtime(volumeMounts=[{"name": "x", "mountPath": "/var/../tmp"}]), f"{_RUNTIME}.volumeMounts[0].mountPath"),
        (in_runtime(volumeMounts=[{"name": "data", "mountPath": "/d"}]), f"{_RUNTIME}.volumeMounts[0].name"),
        (in_keeper(image="other"), f"{_KEEPER}.image"),
        (in_keeper(command=["sh"]), f"{_KEEPER}.command"),
        (in_keeper(restartPolicy=None), f"{_KEEPER}.restartPolicy"),
        (in_keeper(envFrom=[]), f"{_KEEPER}.envFrom"),
        ({"spec": {"containers": [{"name": "extra", "image": "x"}]}}, f"{_RUNTIME}.name"),
        ({"spec": {"initContainers": [{"name": "setup", "image": "x"}]}}, f"{_KEEPER}.name"),
        ({"spec": {"hostNetwork": True}}, "spec.template.spec.hostNetwork"),
        ({"spec": {"securityContext": {"runAsUser": 0}}}, "spec.template.spec.securityContext"),
        ({"spec": {"restartPolicy": "Never"}}, "spec.template.spec.restartPolicy"),
        ({"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}}, "spec.template.spec.volumes[0].name"),
        (
            {"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}},
            "spec.template.spec.volumes[0].hostPath",
        ),
        (
            {"metadata": {"labels": {"dormouse.dev/epoch": "9"}}},
            "spec.template.metadata.labels.dormouse.dev/epoch",
        ),
        (
            {"metadata": {"annotations": {"dormouse.dev/template-hash": "x"}}},
            "spec.template.metadata.annotations.dormouse.dev/template-hash",
        ),
    ],
)
def test_what_is_ours_is_refused_by_path(template: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        built(template)
    assert refused.value.path == path


def test_a_misspelled_field_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidManifest, match="did you mean `tolerations`"):
        built({"spec": {"toleration": []}})
