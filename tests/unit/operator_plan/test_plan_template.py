"""What may a user's template change, and how are its lists merged?"""

from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow, InvalidManifest, Template
from dormouse_operator.plan import Settings, build_pod, check_of, identity_of, is_watched
from dormouse_operator.plan.check_pod import build_check
from unit.operator_samples import UID, store, workflow

PLAIN = build_pod(workflow(), store(), 1, first_claim=True)
SETTINGS = Settings(on_cluster=True, reports_url="http://operator:8082", sends_life=True, checks_replays=True)
STORE = store(
    {
        "spec.caBundle": {"configMapRef": {"name": "trust"}},
        "spec.credentials.sts": {"roleArn": "arn:minio:iam:::role/none"},
        "spec.serverSideEncryption": {"kmsKeyId": "key"},
    }
)
DRILLED = {"spec.drill": {"intervalSeconds": 3600}, "spec.restore": {"fromName": "orders"}}


def with_template(template: dict[str, Any], sample: DurableWorkflow) -> DurableWorkflow:
    """Not parsed: an API server with older CRDs takes what ours refuses."""
    return replace(sample, spec=replace(sample.spec, template=convert(template, Template)))


def built(template: dict[str, Any]) -> dict[str, Any]:
    return build_pod(with_template(template, workflow()), store(), 1, first_claim=True)


def fullest(template: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A life and a check with everything that dormouse ever puts into a pod."""
    dwf = with_template(template, workflow(DRILLED))
    lost = frozenset({"node-a"})
    life = build_pod(dwf, STORE, 3, first_claim=False, settings=SETTINGS, keep_off=lost)
    return life, build_check(dwf, STORE, 3, 1, first_claim=False, settings=SETTINGS, keep_off=lost)


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
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TERMS = f"spec.template.spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"


def required(terms: Any) -> dict[str, Any]:
    return {"spec": {"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": terms}}}}}


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
        (in_runtime(env=[{"name": "PYTHONHASHSEED", "value": "random"}]), f"{_RUNTIME}.env[0].name"),
        (in_runtime(env=[{"name": "LONG", "value": "x" * 131067}]), f"{_RUNTIME}.env[0].value"),
        (in_keeper(env=[{"name": "LONG", "value": "ü" * 65534}]), f"{_KEEPER}.env[0].value"),
        (in_runtime(env=None), f"{_RUNTIME}.env"),
        (in_keeper(env=None), f"{_KEEPER}.env"),
        (in_runtime(volumeMounts=None), f"{_RUNTIME}.volumeMounts"),
        (in_runtime(ports=None), f"{_RUNTIME}.ports"),
        ({"spec": {"containers": None}}, "spec.template.spec.containers"),
        ({"spec": {"volumes": None}}, "spec.template.spec.volumes"),
        (in_runtime(ports=[{"containerPort": 8080}]), f"{_RUNTIME}.ports[0]"),
        (in_runtime(ports=[{"containerPort": 9000, "name": "http"}]), f"{_RUNTIME}.ports[0]"),
        (in_runtime(ports=[{"containerPort": 9000, "hostPort": 9000}]), f"{_RUNTIME}.ports[0].hostPort"),
        ({"spec": {"affinity": ["zone"]}}, "spec.template.spec.affinity"),
        ({"spec": {"affinity": {"nodeAffinity": "near"}}}, "spec.template.spec.affinity.nodeAffinity"),
        (required(["disk"]), f"{_TERMS}[0]"),
        (required({"disk": "fast"}), _TERMS),
        (required([{"matchFields": "node-a"}]), f"{_TERMS}[0].matchFields"),
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


def test_a_variable_may_be_as_long_as_linux_has_it() -> None:
    longest = {"name": "LONG", "value": "x" * 131066}
    assert longest in runtime_of(built(in_runtime(env=[longest])))["env"]


def test_what_would_take_away_what_is_ours_says_how_to_write_it() -> None:
    with pytest.raises(InvalidManifest, match="env: is empty; give it a value or remove the line"):
        built(in_runtime(env=None))


def test_a_misspelled_field_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidManifest, match="did you mean `tolerations`"):
        built({"spec": {"toleration": []}})


@pytest.mark.parametrize(
    "field",
    [
        {"imagePullSecrets": ["registry"]},
        {"hostAliases": [{"hostnames": ["a"]}]},
        {"topologySpreadConstraints": [{"maxSkew": 1}]},
        {"affinity": {"env": [1], "volumes": [None]}},
    ],
)
def test_a_list_that_our_pod_does_not_have_is_the_api_servers_to_judge(field: dict[str, Any]) -> None:
    spec = built({"spec": field})["spec"]
    assert {name: spec[name] for name in field} == field


def test_two_constraints_on_one_key_stay_two() -> None:
    both = [
        {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
        {"topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "ScheduleAnyway"},
    ]
    assert built({"spec": {"topologySpreadConstraints": both}})["spec"]["topologySpreadConstraints"] == both


# Whatever stands in a template: a pod that the operator makes is one that it finds again.


def ours() -> list[tuple[dict[str, Any], str]]:
    """For each thing that dormouse puts into any pod a template that names it, and the end of the path."""
    pods = fullest({})
    templates: dict[str, tuple[dict[str, Any], str]] = {}
    for pod in pods:
        for volume in pod["spec"]["volumes"]:
            named = {"name": volume["name"], "emptyDir": {}}
            templates[f"volume {volume['name']}"] = ({"spec": {"volumes": [named]}}, "volumes[0].name")
            mount = {"name": volume["name"], "mountPath": "/mine"}
            templates[f"mount {volume['name']}"] = (in_runtime(volumeMounts=[mount]), "volumeMounts[0].name")
        for field, inside in (("containers", in_runtime), ("initContainers", in_keeper)):
            (container,) = pod["spec"][field]
            for entry in container["env"]:
                template = inside(env=[{"name": entry["name"], "value": "mine"}])
                templates[f"{container['name']} {entry['name']}"] = (template, "env[0].name")
        for mount in pod["spec"]["containers"][0]["volumeMounts"]:
            theirs = {"name": "mine", "mountPath": f"{mount['mountPath']}/"}
            templates[f"path {mount['mountPath']}"] = (in_runtime(volumeMounts=[theirs]), "volumeMounts[0].mountPath")
        for part in ("labels", "annotations"):
            for name in pod["metadata"][part]:
                if name != "cluster-autoscaler.kubernetes.io/safe-to-evict":
                    templates[f"{part} {name}"] = ({"metadata": {part: {name: "mine"}}}, f"{part}.{name}")
    return list(templates.values())


@pytest.mark.parametrize(("template", "path"), ours())
def test_nothing_that_dormouse_puts_into_a_pod_can_be_named_by_a_template(template: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidManifest, match="is set by dormouse and cannot be changed; choose another") as refused:
        fullest(template)
    assert refused.value.path.endswith(path)


def test_a_fleet_scaler_may_be_told_to_keep_off() -> None:
    annotation = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    assert annotation.items() <= built({"metadata": {"annotations": annotation}})["metadata"]["annotations"].items()


def test_a_pod_with_everything_that_a_template_may_set_is_found_again() -> None:
    template = {
        "metadata": {"labels": {"app.kubernetes.io/name": "x"}, "annotations": {"kubernetes.io/change-cause": "y"}},
        "spec": {
            "volumes": [{"name": "store", "emptyDir": {}}],
            "containers": [
                {
                    "name": "runtime",
                    "env": [{"name": "EPOCH", "value": "9"}, {"name": "NAME", "value": "other"}],
                    "envFrom": [{"configMapRef": {"name": "dormouse"}}],
                    "ports": [{"containerPort": 9000, "name": "mine"}],
                    "volumeMounts": [{"name": "store", "mountPath": "/store"}],
                }
            ],
            "initContainers": [{"name": "litestream", "env": [{"name": "NAME", "value": "other"}]}],
        },
    }
    life, check = fullest(template)
    assert is_watched(life)
    assert is_watched(check)
    identity, checked = identity_of(life), check_of(check)
    assert identity is not None
    assert checked is not None
    assert (identity.workflow, identity.workflow_uid, identity.epoch) == ("report", UID, 3)
    assert (checked.workflow, checked.workflow_uid, checked.attempt) == ("report", UID, 1)
    for pod in (life, check):
        assert pod["metadata"]["ownerReferences"][0]["uid"] == UID
