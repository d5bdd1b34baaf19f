"""When does a pod get credentials of its own, what do they open, and when are the next ones minted?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dormouse.replica.layout import Layout
from dormouse_operator.api import ObjectStore
from dormouse_operator.plan import (
    CurrentAbsent,
    CurrentSeen,
    MintSession,
    Plan,
    Session,
    Settings,
    plan,
    session_policy,
    template_hash,
    times,
)
from unit.operator_plan.pods import created, kinds, pod, reason
from unit.operator_samples import NOW, UID, observed, store, workflow

STS = {"roleArn": "arn:aws:iam::123456789012:role/workflows"}
PROVEN = [
    {"type": kind, "status": "True", "reason": "Tried", "message": "", "lastTransitionTime": "2026-03-01T12:00:00Z"}
    for kind in ("ConditionalWrites", "InUse", "Available")
]
LATER = NOW + timedelta(minutes=30)
OBJECTS = "arn:aws:s3:::dormouse/team/prod/team"
FORK = {"spec.restore": {"fromName": "origin"}}
IMPORT = {"spec.restore": {"fromObject": {"key": "a/b.sqlite", "sha256": "0" * 64}}}


def sessions(changes: dict[str, Any] | None = None) -> ObjectStore:
    return store({"spec.credentials.sts": STS, "status.conditions": PROVEN, **(changes or {})})


def planned(
    *pods: dict[str, Any], spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **seen: Any
) -> Plan:
    world = observed(*pods, **{"store": sessions(), "secret_version": "1", "current": CurrentAbsent(), **seen})
    return plan(workflow(spec, **(status or {})), world, NOW, Settings(on_cluster=True))


def minting(made: Plan) -> MintSession | None:
    found = [action for action in made.actions if isinstance(action, MintSession)]
    assert len(found) < 2
    return found[0] if found else None


def minted(made: Plan, renew_at: datetime = LATER) -> Session:
    """As it is known once that was done."""
    action = minting(made)
    assert action is not None
    return Session(action.made_for, renew_at)


def reads(made: Plan) -> list[str]:
    """What may be read beside the workflow's own prefix."""
    action = minting(made)
    assert action is not None
    statements = json.loads(action.policy)["Statement"]
    return [each for statement in statements if statement["Action"] == "s3:GetObject" for each in statement["Resource"]]


def test_the_policy_opens_the_workflows_own_prefix_and_lists_nothing_else() -> None:
    made = json.loads(session_policy(sessions(), Layout.of("team/prod", "team", "report")))
    assert made["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": f"{OBJECTS}/report/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::dormouse",
            "Condition": {"StringLike": {"s3:prefix": ["team/prod/team/report/*"]}},
        },
    ]


@pytest.mark.parametrize(
    ("role", "partition"), [("arn:aws-cn:iam::1:role/x-y-z", "aws-cn"), ("arn:minio:iam:::role/x", "aws")]
)
def test_the_policy_speaks_of_the_partition_of_its_role(role: str, partition: str) -> None:
    made = session_policy(sessions({"spec.credentials.sts": {"roleArn": role}}), Layout("own"))
    assert f"arn:{partition}:s3:::dormouse/own/*" in made


def test_the_policy_lets_a_pod_use_the_stores_keys_through_s3_when_the_store_has_one() -> None:
    with_key = {"spec.serverSideEncryption": {"kmsKeyId": "orders-key"}}
    made = json.loads(session_policy(sessions(with_key), Layout("own")))
    assert made["Statement"][-1] == {
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": "*",
        "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}},
    }
    elsewhere = {**with_key, "spec.credentials.sts": {"roleArn": "arn:minio:iam:::role/x"}}
    assert "kms:" not in session_policy(sessions(elsewhere), Layout("own"))


def test_credentials_come_before_the_pod_and_the_pod_has_no_others() -> None:
    first = planned(status={"claimed": False})
    assert (kinds(first), reason(first)) == (["MintSession"], "MintingCredentials")
    manifest = created(planned(session=minted(first)))
    (keeper,) = manifest["spec"]["initContainers"]
    environment = {each["name"]: each for each in keeper["env"]}
    assert environment["DORMOUSE_STORE_SESSION_FILE"]["value"] == "/var/run/dormouse-store/credentials.json"
    assert "DORMOUSE_STORE_ACCESS_KEY_ID" not in environment
    assert {"name": "store-session", "mountPath": "/var/run/dormouse-store", "readOnly": True} in keeper["volumeMounts"]
    (runtime,) = manifest["spec"]["containers"]
    assert "store-session" not in json.dumps(runtime)


def test_without_an_operator_the_pod_has_the_keys_of_the_secret() -> None:
    made = created(plan(workflow(), observed(store=sessions()), NOW, Settings(on_cluster=False)))
    (keeper,) = made["spec"]["initContainers"]
    assert "DORMOUSE_STORE_ACCESS_KEY_ID" in {each["name"] for each in keeper["env"]}


def test_what_stands_in_the_way_is_told_and_tried_again() -> None:
    made = planned(session_error="spec.credentials.sts.roleArn: may not")
    assert (kinds(made)[0], reason(made), made.status.phase) == ("MintSession", "SessionCredentialsRefused", "Stalled")
    assert made.requeue_after_seconds is not None


def test_a_store_that_ignores_policies_gets_no_pod() -> None:
    ignoring = [*PROVEN[:2], {**PROVEN[2], "status": "False", "reason": "SessionPolicyIgnored"}]
    made = planned(store=sessions({"status.conditions": ignoring}))
    assert (minting(made), reason(made)) == (None, "SessionPolicyIgnored")


def running(**seen: Any) -> Plan:
    made = build(keeper=True, runtime=True)
    return planned(made, **seen)


def build(**changes: Any) -> dict[str, Any]:
    made = pod(workflow(), **changes)
    made["metadata"]["annotations"]["dormouse.dev/template-hash"] = template_hash(workflow(), sessions())
    return made


def test_a_pod_that_lives_gets_the_next_ones_when_they_are_due_and_is_looked_at_then() -> None:
    known = minted(planned())
    calm = running(session=known)
    assert (minting(calm), calm.requeue_after_seconds) == (None, 1800.0)
    due = running(session=replace(known, renew_at=NOW))
    assert minting(due) is not None
    assert due.status.phase == "Running"


@pytest.mark.parametrize(
    "changes", [{"secret_version": "2"}, {"store": sessions({"spec.credentials.sts": {**STS, "durationSeconds": 900}})}]
)
def test_other_keys_or_another_role_are_reason_enough(changes: dict[str, Any]) -> None:
    made = running(session=minted(planned()), **changes)
    assert minting(made) is not None
    assert "DeletePod" not in kinds(made)


def test_a_workflow_without_a_pod_needs_none() -> None:
    assert minting(planned(spec={"spec.operatingMode": "Suspended"}, session=None)) is None


def test_a_workflow_that_goes_needs_none() -> None:
    gone = {"metadata.deletionTimestamp": "2026-03-01T12:00:00Z", "metadata.finalizers": ["dormouse.dev/data"]}
    assert minting(planned(build(keeper=True), spec=gone)) is None


@pytest.mark.parametrize(
    ("spec", "expected"), [(FORK, f"{OBJECTS}/origin/*"), (IMPORT, f"{OBJECTS}/.imports/a/b.sqlite")]
)
def test_what_a_history_begins_with_may_be_read_until_it_is_replicated(spec: dict[str, Any], expected: str) -> None:
    first = planned(spec=spec)
    assert reads(first) == [expected]
    starting = planned(build(), spec=spec, session=minted(first))
    assert minting(starting) is None
    replicated = planned(build(keeper=True), spec=spec, session=minted(first))
    assert reads(replicated) == []
    # It stays closed, whatever is not known any more.
    assert minting(planned(build(), spec=spec, session=minted(replicated))) is None


def test_a_later_life_of_a_fork_that_is_replicated_has_no_need_of_its_source() -> None:
    lived = {"epoch": 1, "claimed": True}
    for is_replicated in (False, True):
        current = CurrentSeen(1, "Sealed", "Stopped", workflow_uid=UID, replicated=is_replicated)
        made = planned(spec=FORK, status=lived, current=current)
        assert bool(reads(made)) is not is_replicated


def test_only_whether_a_store_mints_is_seen_in_a_pod() -> None:
    other = sessions({"spec.credentials.sts": {"roleArn": "arn:aws:iam::123456789012:role/another"}})
    assert template_hash(workflow(), sessions()) == template_hash(workflow(), other)
    assert template_hash(workflow(), sessions()) != template_hash(workflow(), store())


def test_clients_look_for_the_next_ones_after_they_were_minted_and_before_theirs_end() -> None:
    begin, end = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
    renew_at, read_again_at = times(begin, end, 3600)
    assert (renew_at.minute, read_again_at.minute) == (30, 45)


def test_credentials_do_not_last_longer_because_our_clock_is_behind() -> None:
    begin, end = datetime(2026, 3, 1, 11, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert times(begin, end, 3600) == (begin + timedelta(minutes=30), begin + timedelta(minutes=45))


@pytest.mark.parametrize(("set_back", "is_due"), [(0, False), (30, False), (120, True), (86400, True)])
def test_a_clock_that_was_set_back_does_not_let_credentials_end_unnoticed(set_back: int, is_due: bool) -> None:
    known = minted(planned(), renew_at=LATER + timedelta(seconds=set_back))
    assert (minting(running(session=known)) is not None) is is_due


def test_those_that_were_minted_by_the_clock_as_it_is_now_are_not_due_at_once() -> None:
    renew_at, _ = times(NOW, NOW + timedelta(days=1), 3600)
    assert minting(running(session=minted(planned(), renew_at=renew_at))) is None
