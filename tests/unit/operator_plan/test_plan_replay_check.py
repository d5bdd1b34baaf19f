"""What happens to a changed spec before a pod has it, where it has to replay first?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import (
    ApplyConfigMap,
    CreateCheck,
    CreatePod,
    CurrentAbsent,
    DeletePod,
    EmitEvent,
    MintSession,
    Plan,
    Session,
    Settings,
    plan,
)
from unit import operator_samples
from unit.operator_plan.pods import LIVED, active, created, deleted, kinds, pod, reason, seen
from unit.operator_samples import NOW, observed, with_status, workflow

CHECKED = Settings(checks_replays=True, reports_url="http://operator:8082")
ON = {"spec.updatePolicy.replayCheck": True}
BEFORE = workflow(ON, **LIVED)
SAID = {"reason": "Replayed", "message": "1 open executions, as they were at 2/9, go on", "position": "2/9"}
DIVERGED = {"reason": "ReplayDiverged", "message": "execution main: the log says this at a.py:3, the code that"}
BROKEN = {"reason": "EntrypointFailed", "message": "ModuleNotFoundError: No module named 'nothing'"}


def planned(dwf: DurableWorkflow, *pods: dict[str, Any], seconds: float = 0, **changes: Any) -> Plan:
    settings = changes.pop("settings", CHECKED)
    return plan(dwf, observed(*pods, **changes), NOW + timedelta(seconds=seconds), settings)


def ready(epoch: int = 2, of: DurableWorkflow = BEFORE, **how: Any) -> dict[str, Any]:
    return pod(of, epoch, keeper=True, runtime=True, **how)


def changed(text: str = "changed", **more: Any) -> DurableWorkflow:
    """Another source, after the first one was accepted because a pod has it."""
    known = planned(BEFORE, ready()).status
    assert known.accepted_spec
    made = workflow({**ON, "spec.source.inline": f"print('{text}')\n", **more, "metadata.generation": 2})
    return with_status(made, known)


def check_of(made: Plan) -> dict[str, Any]:
    (manifest,) = [action.manifest for action in made.actions if isinstance(action, CreateCheck)]
    return manifest


def ended(manifest: dict[str, Any], said: dict[str, Any] | None, at: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    """The pod of a check once its second container has said that; nothing is a kill."""
    passed = said is not None and said["reason"] == "Replayed"
    made = seen(manifest, phase="Succeeded" if passed else "Failed")
    terminated = {"exitCode": 0 if passed else 1, "reason": "Completed" if passed else "Error", "finishedAt": at}
    if said is not None:
        terminated["message"] = json.dumps(said)
    made["status"]["containerStatuses"] = [{"name": "runtime", "ready": False, "state": {"terminated": terminated}}]
    made["status"]["initContainerStatuses"] = [
        {"name": "litestream", "ready": True, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    ]
    return made


def said(made: Plan, kind: str) -> tuple[str, str]:
    condition = made.status.condition(kind)
    assert condition is not None
    return condition.status, condition.reason


def message(made: Plan, kind: str = "UpToDate") -> str:
    condition = made.status.condition(kind)
    assert condition is not None
    return condition.message


def events(made: Plan) -> list[str]:
    return [action.reason for action in made.actions if isinstance(action, EmitEvent)]


# Which spec is known to go on.


def test_the_first_spec_is_accepted_with_its_first_pod_and_nothing_is_checked() -> None:
    made = planned(workflow(ON), current=CurrentAbsent())
    assert kinds(made) == ["ApplyConfigMap", "CreatePod"]
    assert "print('hello')" in made.status.accepted_spec


@pytest.mark.parametrize("text", ['"' * 150_000, "ü" * 100_000 + "<" * 30_000, "x\n" * 131_072])
def test_a_spec_that_fits_twice_into_its_object_is_kept(text: str) -> None:
    made = planned(workflow({**ON, "spec.source.inline": text}), current=CurrentAbsent())
    assert kinds(made) == ["ApplyConfigMap", "CreatePod"]
    assert made.status.accepted_spec


TOO_LARGE = {**ON, "spec.source.inline": "<" * 150_000}
"""The API server writes each of them as six bytes, twice."""


def test_a_spec_that_does_not_fit_twice_has_no_pod_and_says_what_to_do() -> None:
    made = planned(workflow(TOO_LARGE), current=CurrentAbsent())
    assert (kinds(made), made.status.phase, reason(made)) == ([], "Stalled", "InvalidTemplate")
    assert "spec: takes more than 1048576 bytes with the copy of it" in message(made, "Stalled")
    assert "set updatePolicy.replayCheck to false" in message(made, "Stalled")
    assert made.status.accepted_spec == ""


def test_a_pod_that_runs_with_such_a_spec_stays_and_no_copy_is_kept() -> None:
    large = workflow(TOO_LARGE, **LIVED)
    made = planned(large, ready(of=large))
    assert (kinds(made), said(made, "Stalled")) == ([], ("True", "InvalidTemplate"))
    assert made.status.accepted_spec == ""


def test_without_the_check_it_is_kept_once_and_may_be_as_large() -> None:
    made = planned(workflow({"spec.source.inline": "<" * 150_000}), current=CurrentAbsent())
    assert kinds(made) == ["ApplyConfigMap", "CreatePod"]


def test_what_a_pod_has_already_is_accepted_when_checks_are_switched_on() -> None:
    made = planned(BEFORE, ready())
    assert (kinds(made), said(made, "UpToDate")) == ([], ("True", "UpToDate"))
    assert "print('hello')" in made.status.accepted_spec


def test_without_the_policy_nothing_is_kept_and_a_change_rolls_at_once() -> None:
    plain = with_status(workflow({"spec.source.inline": "print('x')\n"}), changed().status)
    made = planned(plain, ready())
    assert (kinds(made), made.status.accepted_spec) == (["DeletePod"], "")


@pytest.mark.parametrize(
    "spec",
    [
        {"spec.ttlSecondsAfterFinished": 60},
        {"spec.deletionPolicy": "Delete"},
        {"spec.updatePolicy.type": "Manual"},
        {"spec.storage.durability": "Sync"},
    ],
)
def test_what_a_pod_does_not_see_is_not_checked(spec: dict[str, Any]) -> None:
    same = with_status(workflow({**ON, **spec}), changed().status)
    assert kinds(planned(same, ready())) == []


def test_a_changed_store_rolls_without_a_check_since_the_code_is_the_same() -> None:
    known = with_status(BEFORE, changed().status)
    made = planned(known, ready(), store=operator_samples.store({"spec.region": "eu-north-1"}))
    assert kinds(made) == ["DeletePod"]


# The check.


def test_a_change_begins_a_check_beside_the_pod_which_stays() -> None:
    made = planned(changed(), ready())
    assert kinds(made) == ["ApplyConfigMap", "CreateCheck"]
    assert said(made, "UpToDate") == ("False", "ReplayChecking")
    assert said(made, "Reconciling") == ("True", "ReplayChecking")
    assert said(made, "Ready") == ("True", "Running")
    (source,) = [action.manifest for action in made.actions if isinstance(action, ApplyConfigMap)]
    assert source["data"] == {"pipeline.py": "print('changed')\n"}
    assert source["metadata"]["name"] == "report-check-5a0c0f6e", "the running pod must not see it"


def test_the_pod_of_a_check_is_that_of_the_life_to_come_without_what_makes_it_a_life() -> None:
    manifest = check_of(planned(changed(), ready()))
    spec, metadata = manifest["spec"], manifest["metadata"]
    assert "dormouse.dev/epoch" not in metadata["labels"]
    assert metadata["name"] == f"report-check-{metadata['labels']['dormouse.dev/check']}-1"
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert spec["readinessGates"], "no Service of the user's sends anybody there"
    (restoring,), (replaying,) = spec["initContainers"], spec["containers"]
    assert "restartPolicy" not in restoring
    assert restoring["command"] == ["python", "-m", "dormouse.keeper.check"]
    assert replaying["command"] == ["python", "-m", "dormouse.runtime.check"]
    assert not {"ports", "readinessProbe"} & {*restoring, *replaying}
    names = {entry["name"] for entry in replaying["env"]}
    assert "DORMOUSE_SOURCE_SHA256" in names
    assert not {name for name in names if "STORE" in name}, "the user's code has no keys"
    assert "DORMOUSE_OPERATOR_URL" not in {entry["name"] for entry in restoring["env"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["source"]["configMap"]["name"] == "report-check-5a0c0f6e"
    assert "report-token" not in volumes


def test_a_check_that_runs_is_no_life_and_is_waited_for() -> None:
    manifest = check_of(planned(changed(), ready()))
    made = planned(changed(), ready(), seen(manifest))
    assert (kinds(made), said(made, "UpToDate"), made.status.epoch) == ([], ("False", "ReplayChecking"), 2)


def test_one_that_passed_is_accepted_rolls_and_is_told_once() -> None:
    passed = ended(check_of(planned(changed(), ready())), SAID)
    made = planned(changed(), ready(), passed)
    assert deleted(made) == [("report-e2", None)]
    assert "Replayed" in events(made)
    assert "print('changed')" in made.status.accepted_spec
    after = planned(with_status(changed(), made.status), ready(deleting=True), passed)
    assert deleted(after) == [(passed["metadata"]["name"], None)]
    assert "Replayed" not in events(after)


@pytest.mark.parametrize(("policy", "why"), [("OnIdle", "WaitsUntilIdle"), ("Manual", "WaitsForYou")])
def test_one_that_passed_waits_as_the_policy_says_and_is_not_checked_again(policy: str, why: str) -> None:
    dwf = changed(**{"spec.updatePolicy.type": policy})
    passed = ended(check_of(planned(dwf, ready())), SAID)
    made = planned(dwf, ready(), passed)
    assert (kinds(made), said(made, "UpToDate")) == ([], ("False", why))
    later = planned(with_status(dwf, made.status), ready())
    assert (kinds(later), said(later, "UpToDate")) == ([], ("False", why))


def test_one_that_diverged_stops_the_roll_and_says_where_and_what_to_do() -> None:
    diverged = ended(check_of(planned(changed(), ready())), DIVERGED)
    made = planned(changed(), ready(), diverged)
    assert (kinds(made), made.status.phase, made.requeue_after_seconds) == ([], "Running", None)
    assert said(made, "Ready") == ("True", "Running")
    assert said(made, "UpToDate") == ("False", "ReplayDiverged")
    assert said(made, "Stalled") == ("True", "ReplayDiverged")
    assert said(made, "Reconciling")[0] == "False"
    assert message(made).startswith("execution main: the log says this at a.py:3")
    assert "Pod report-e2 stays as it is; change the spec again" in message(made)
    assert "ReplayDiverged" in events(made)
    assert "print('hello')" in made.status.accepted_spec
    again = planned(with_status(changed(), made.status), ready(), diverged)
    assert (again.actions, again.status) == ((), made.status)


def test_another_change_begins_another_check_and_ends_the_old_one() -> None:
    diverged = ended(check_of(planned(changed(), ready())), DIVERGED)
    made = planned(changed("mended"), ready(), diverged)
    assert kinds(made) == ["ApplyConfigMap", "CreateCheck", "DeletePod"]
    assert said(made, "UpToDate") == ("False", "ReplayChecking")
    assert check_of(made)["metadata"]["name"] != diverged["metadata"]["name"]


def test_a_change_back_needs_no_check() -> None:
    diverged = ended(check_of(planned(changed(), ready())), DIVERGED)
    back = with_status(BEFORE, planned(changed(), ready(), diverged).status)
    made = planned(back, ready(), diverged)
    assert (kinds(made), said(made, "UpToDate")) == (["DeletePod"], ("True", "UpToDate"))
    assert said(made, "Stalled")[0] == "False"


def test_a_check_that_somebody_deleted_is_made_anew() -> None:
    made = planned(changed(), ready())
    assert check_of(planned(with_status(changed(), made.status), ready())) == check_of(made)


# What cannot run has not passed.


@pytest.mark.parametrize("what", [BROKEN, None, {"reason": "Replayed ", "message": ""}, {"reason": "StoreUnreachable"}])
def test_one_that_could_not_run_stops_the_roll_and_is_tried_again(what: dict[str, Any] | None) -> None:
    failed = ended(check_of(planned(changed(), ready())), what)
    made = planned(changed(), ready(), failed, seconds=4)
    assert (kinds(made), made.requeue_after_seconds) == ([], 6.0)
    assert said(made, "UpToDate") == ("False", "ReplayCheckFailed")
    assert said(made, "Stalled") == ("True", "ReplayCheckFailed")
    assert "print('hello')" in made.status.accepted_spec
    known = with_status(changed(), made.status)
    next_try = planned(known, ready(), failed, seconds=10)
    manifest = check_of(next_try)
    assert manifest["metadata"]["name"].endswith("-2")
    runs = planned(with_status(changed(), next_try.status), ready(), failed, seen(manifest), seconds=11)
    assert deleted(runs) == [(failed["metadata"]["name"], None)]
    assert said(runs, "UpToDate") == ("False", "ReplayCheckFailed"), "it does not come and go with each attempt"
    assert planned(with_status(changed(), made.status), ready(), failed, seconds=-9999).requeue_after_seconds == 10.0


def test_a_pod_that_succeeds_without_its_word_has_not_passed() -> None:
    mute = ended(check_of(planned(changed(), ready())), None)
    mute["status"]["phase"] = "Succeeded"
    assert said(planned(changed(), ready(), mute), "UpToDate") == ("False", "ReplayCheckFailed")


def test_the_word_of_a_check_of_another_spec_counts_for_nothing() -> None:
    passed = ended(check_of(planned(changed(), ready())), SAID)
    made = planned(changed("another"), ready(), passed)
    assert "DeletePod" in kinds(made)
    assert ("report-e2", None) not in deleted(made)
    assert said(made, "UpToDate") == ("False", "ReplayChecking")


def test_an_image_that_cannot_be_pulled_is_told_while_it_is_tried() -> None:
    waiting = seen(check_of(planned(changed(), ready())), phase="Pending")
    state = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    waiting["status"]["containerStatuses"] = [{"name": "runtime", "ready": False, "state": state}]
    made = planned(changed(), ready(), waiting)
    assert (kinds(made), said(made, "UpToDate")) == ([], ("False", "ReplayCheckFailed"))
    assert "ErrImagePull: no such image" in message(made)


def test_one_on_a_lost_node_is_tried_again_elsewhere() -> None:
    lost = seen(check_of(planned(changed(), ready())), node="node-b")
    made = planned(changed(), ready(), lost, lost_nodes=frozenset({"node-b"}))
    manifest = check_of(made)
    assert manifest["metadata"]["name"].endswith("-2")
    assert "node-b" in json.dumps(manifest["spec"]["affinity"])


def test_a_check_that_the_api_server_refuses_says_so() -> None:
    made = planned(changed(), ready(), refused_check="exceeded quota")
    assert said(made, "UpToDate") == ("False", "ReplayCheckFailed")
    assert "exceeded quota" in message(made)


# Accidents meanwhile.


Checks = Callable[[dict[str, Any]], dict[str, Any] | None]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (lambda _: None, "ReplayChecking"),
        (seen, "ReplayChecking"),
        (lambda manifest: ended(manifest, DIVERGED), "ReplayDiverged"),
        (lambda manifest: ended(manifest, BROKEN), "ReplayCheckFailed"),
    ],
)
def test_a_pod_that_is_lost_before_the_check_has_passed_is_followed_by_one_with_its_own_spec(
    check: Checks, why: str
) -> None:
    found = check(check_of(planned(changed(), ready())))
    beside = () if found is None else (found,)
    known = with_status(changed(), planned(changed(), ready(), *beside).status)
    made = planned(known, *beside, current=active(2))
    life = created(made)
    assert (
        life["metadata"]["annotations"]["dormouse.dev/template-hash"]
        == ready()["metadata"]["annotations"]["dormouse.dev/template-hash"]
    )
    (source,) = [
        action.manifest
        for action in made.actions
        if isinstance(action, ApplyConfigMap) and "source" in action.manifest["metadata"]["name"]
    ]
    assert source["data"] == {"pipeline.py": "print('hello')\n"}
    assert said(made, "UpToDate") == ("False", why)
    assert "print('hello')" in made.status.accepted_spec


def test_a_pod_that_is_lost_after_the_check_has_passed_is_followed_by_one_with_the_new_spec() -> None:
    dwf = changed(**{"spec.updatePolicy.type": "Manual"})
    passed = ended(check_of(planned(dwf, ready())), SAID)
    made = planned(with_status(dwf, planned(dwf, ready(), passed).status), current=active(2))
    assert said(made, "UpToDate") == ("True", "UpToDate")
    expected = pod(dwf, 3)["metadata"]["annotations"]["dormouse.dev/template-hash"]
    assert created(made)["metadata"]["annotations"]["dormouse.dev/template-hash"] == expected


def unknown() -> DurableWorkflow:
    """The policy came with the change, so nothing says what ran before."""
    return workflow({**ON, "spec.source.inline": "print('changed')\n"}, **LIVED)


def test_where_it_is_not_known_what_ran_before_no_pod_starts_without_a_check() -> None:
    made = planned(unknown(), current=active(2))
    assert kinds(made) == ["ApplyConfigMap", "CreateCheck"]
    assert (made.status.phase, reason(made)) == ("Pending", "ReplayChecking")
    known = with_status(unknown(), made.status)
    stopped = planned(known, ended(check_of(made), DIVERGED), current=active(2))
    assert (kinds(stopped), stopped.status.phase, reason(stopped)) == ([], "Stalled", "ReplayDiverged")
    goes_on = planned(known, ended(check_of(made), SAID), current=active(2))
    assert [type(each) for each in goes_on.actions if isinstance(each, CreatePod | CreateCheck)] == [CreatePod]
    assert "print('changed')" in goes_on.status.accepted_spec


def test_an_accepted_spec_that_a_newer_operator_wrote_is_not_guessed_at() -> None:
    strange = with_status(changed(), changed().status)
    later = planned(strange, ready()).status
    newer = later.accepted_spec.replace('"entrypoint"', '"unheardOf":1,"entrypoint"')
    assert newer != later.accepted_spec
    dwf = workflow({**ON, "spec.source.inline": "print('changed')\n"}, **LIVED, accepted_spec=newer)
    assert kinds(planned(dwf, current=active(2))) == ["ApplyConfigMap", "CreateCheck"]


# What else goes on.


def test_a_suspended_or_deleted_workflow_checks_nothing() -> None:
    runs = seen(check_of(planned(changed(), ready())))
    suspended = changed(**{"spec.operatingMode": "Suspended"})
    assert (runs["metadata"]["name"], 1) in deleted(planned(suspended, ready(), runs))
    gone = changed(**{"metadata.deletionTimestamp": "2026-03-01T12:00:00Z"})
    assert (runs["metadata"]["name"], 1) in deleted(planned(gone, ready(), runs))


def test_a_check_waits_for_its_turn_as_a_roll_does() -> None:
    bound = Settings(checks_replays=True, max_concurrent_rolls=1)
    waits = planned(changed(), ready(), settings=bound, may_roll=False)
    assert (kinds(waits), waits.wants_turn, said(waits, "UpToDate")) == ([], True, ("False", "WaitsForOthers"))
    begins = planned(changed(), ready(), settings=bound)
    assert begins.status.rolling_since
    diverged = planned(
        with_status(changed(), begins.status), ready(), ended(check_of(begins), DIVERGED), settings=bound
    )
    assert (diverged.status.rolling_since, diverged.wants_turn) == ("", False)


def test_with_sessions_a_check_has_credentials_that_only_read() -> None:
    sts = {"spec.credentials.sts": {"roleArn": "arn:aws:iam::1:role/dormouse"}}
    store = operator_samples.store(sts)
    settings = Settings(checks_replays=True, on_cluster=True)
    life = ready()
    life["metadata"]["annotations"]["dormouse.dev/template-hash"] = "another"
    made = planned(changed(), life, store=store, settings=settings)
    minted = [action for action in made.actions if isinstance(action, MintSession)]
    (checks,) = [action for action in minted if action.manifest["metadata"]["name"] == "report-check-store-5a0c0f6e"]
    policy = json.loads(checks.policy)
    assert [statement["Action"] for statement in policy["Statement"]] == ["s3:GetObject", "s3:ListBucket"]
    assert not [action for action in made.actions if isinstance(action, CreateCheck | DeletePod)]
    for minutes, is_begun in ((30, True), (0, False), (60, False)):
        session = Session(made_for=checks.made_for, renew_at=NOW + timedelta(minutes=minutes))
        again = planned(changed(), life, store=store, settings=settings, check_session=session)
        assert ("CreateCheck" in kinds(again)) is is_begun, "others may have ended"
