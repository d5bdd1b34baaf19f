"""Is a container's process what a kubelet would run, moved into a folder?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dormouse_operator.dev.container import ContainerProcess, PodFolder, Surroundings, Unrunnable, process_of

FOLDER = PodFolder(Path("/state/pods/default.sleeper-e1"))
AROUND = Surroundings(
    secrets={("default", "model"): {"token": b"s3cret", "raw": b"\xff"}},
    config_maps={("default", "settings"): {"LEVEL": b"debug"}},
    modules=Path("/home/me/project"),
    tag={"TAG": "yes"},
)
METADATA = {
    "name": "sleeper-e1",
    "namespace": "default",
    "uid": "pod-uid",
    "labels": {"dormouse.dev/epoch": "1"},
}


def container(**parts: Any) -> dict[str, Any]:
    mounts = [
        {"name": "data", "mountPath": "/var/lib/dormouse"},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "deep", "mountPath": "/var/lib/dormouse/deep/", "subPath": "part"},
    ]
    return {"name": "runtime", "command": ["python", "-m", "dormouse.runtime"], "volumeMounts": mounts} | parts


def process(**parts: Any) -> ContainerProcess:
    described = container(**parts)
    pod = {"metadata": METADATA, "spec": {"restartPolicy": "OnFailure", "containers": [described]}}
    return process_of(pod, described, FOLDER, {"runtime": 4242}, AROUND)


def variable(entry: dict[str, Any], *before: dict[str, Any]) -> str | None:
    return process(env=[*before, {"name": "X", **entry}]).environment.get("X")


def test_python_is_the_python_that_runs() -> None:
    assert process().command == (sys.executable, "-m", "dormouse.runtime")


def test_mount_paths_become_folders_the_deepest_first() -> None:
    volumes = "/state/pods/default.sleeper-e1/volumes"
    assert variable({"value": "/var/lib/dormouse"}) == f"{volumes}/data"
    assert variable({"value": "/var/lib/dormouse/db.sqlite"}) == f"{volumes}/data/db.sqlite"
    assert variable({"value": "/var/lib/dormouse/deep/x"}) == f"{volumes}/deep/part/x"
    assert variable({"value": "/var/lib/dormouse-other"}) == "/var/lib/dormouse-other"
    assert variable({"value": "/dev/termination-log"}) == "/state/pods/default.sleeper-e1/termination/runtime"
    assert process(args=["/tmp/x"]).command[-1] == f"{volumes}/tmp/x"
    assert process(workingDir="/tmp").working_directory == Path(volumes, "tmp")


def test_who_is_on_this_machine_shows_no_token() -> None:
    token_file = {"name": "DORMOUSE_API_TOKEN_FILE", "value": "/run/api-token/token"}
    assert "DORMOUSE_API_TOKEN_FILE" not in process(env=[token_file]).environment


def test_the_project_is_the_working_directory_and_where_modules_are_found() -> None:
    assert process().working_directory == Path("/home/me/project")
    assert process().environment["PYTHONPATH"] == "/home/me/project"


def test_ports_and_host_are_those_of_this_machine() -> None:
    port = {"name": "DORMOUSE_PORT", "value": "8080"}
    found = process(env=[port], readinessProbe={"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1})
    assert found.environment["DORMOUSE_PORT"] == "4242"
    assert found.environment["DORMOUSE_HOST"] == "127.0.0.1"
    assert found.probe is not None
    assert (found.probe.port, found.probe.path, found.probe.period_seconds) == (4242, "/readyz", 1)
    assert found.environment["TAG"] == "yes"


def test_references_are_resolved() -> None:
    secret = {"secretKeyRef": {"name": "model", "key": "token"}}
    assert variable({"valueFrom": secret}) == "s3cret"
    assert variable({"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}}) == "debug"
    assert variable({"valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}) == "pod-uid"
    label = {"fieldRef": {"fieldPath": "metadata.labels['dormouse.dev/epoch']"}}
    assert variable({"valueFrom": label}) == "1"
    missing = {"secretKeyRef": {"name": "model", "key": "none", "optional": True}}
    assert variable({"valueFrom": missing}) is None
    whole = process(envFrom=[{"prefix": "APP_", "configMapRef": {"name": "settings"}}])
    assert whole.environment["APP_LEVEL"] == "debug"


def test_earlier_variables_are_expanded_and_unknown_ones_stay() -> None:
    name = {"name": "NAME", "value": "sleeper"}
    assert variable({"value": "$(NAME)-$(NOBODY)-$$(NAME)"}, name) == "sleeper-$(NOBODY)-$(NAME)"


def test_little_of_this_machine_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "internal")
    environment = process().environment
    assert "AWS_CA_BUNDLE" not in environment
    assert environment["HTTPS_PROXY"] == "http://proxy:3128"
    assert environment["NO_PROXY"] == "internal,127.0.0.1,localhost"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k"}}}]}, "Secret 'no'"),
        ({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "model", "key": "raw"}}}]}, "not text"),
        ({"env": [{"name": "X", "valueFrom": {"resourceFieldRef": {}}}]}, "knows no valueFrom resourceFieldRef"),
        ({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]}, "no field"),
        ({"envFrom": [{"secretRef": {"name": "no"}}]}, "Secret 'no' of envFrom"),
        ({"command": []}, "has no command"),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, "only httpGet"),
    ],
)
def test_what_cannot_run_here_is_named(parts: dict[str, Any], expected: str) -> None:
    with pytest.raises(Unrunnable, match=expected):
        process(**parts)


def test_the_restart_policy_decides_what_runs_again() -> None:
    assert process().restarts_after(1)
    assert not process().restarts_after(0)
    assert process(restartPolicy="Always").restarts_after(0)


def test_secrets_are_not_printed() -> None:
    found = process(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "model", "key": "token"}}}])
    assert "s3cret" not in repr(found)
