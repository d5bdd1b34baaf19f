"""What happens when the API server does not take a pod? Somebody is told what to do, and it is asked for again."""

from __future__ import annotations

import pytest

from dormouse_operator.api import DurableWorkflow, LastFailure
from dormouse_operator.plan import CurrentAbsent, EmitEvent, Plan, Refusal, pause_seconds
from unit.operator_plan.pods import LIVED, active, created, kinds, message, planned, pod, reason, sealed
from unit.operator_samples import with_status, workflow

QUOTA = (
    'pods "report-e3" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2 '
    "(POST /api/v1/namespaces/team/pods: 403)"
)
WAITING = Refusal(QUOTA, 8.0)
DUE = Refusal(QUOTA)


def asked_for(**spec: object) -> DurableWorkflow:
    """As it is saved before its third pod is asked for."""
    dwf = workflow(dict(spec), **LIVED)
    first = planned(dwf, current=sealed(2, "Stopped"))
    assert created(first)["metadata"]["name"] == "report-e3"
    return with_status(dwf, first.status)


def refused(dwf: DurableWorkflow, refusal: Refusal | None) -> Plan:
    return planned(dwf, current=sealed(2, "Stopped"), refusal=refusal)


def told(made: Plan) -> list[str]:
    return [action.reason for action in made.actions if isinstance(action, EmitEvent)]


def test_a_quota_is_a_condition_with_the_remedy_and_the_pod_waits_for_its_pause() -> None:
    made = refused(asked_for(), WAITING)
    assert (kinds(made), made.status.phase, reason(made)) == ([], "Stalled", "QuotaExceeded")
    assert made.requeue_after_seconds == 8
    assert "limited: pods=2" in message(made)
    assert "raise the ResourceQuota, or lower resources.requests in spec.template" in message(made)
    assert told(made) == ["QuotaExceeded"]


def test_the_pod_that_never_was_is_asked_for_again_under_its_epoch_and_nothing_is_written_for_that() -> None:
    waiting = refused(asked_for(), WAITING)
    dwf = with_status(asked_for(), waiting.status)
    again = refused(dwf, DUE)
    assert created(again)["metadata"]["name"] == "report-e3"
    assert again.status == waiting.status == refused(dwf, WAITING).status
    assert told(again) == ["PodCreated"], "told only if it is made"
    assert (again.status.failures, again.status.last_failure) == (0, None)


def test_an_operator_that_was_not_there_goes_on_from_what_the_status_says() -> None:
    dwf = with_status(asked_for(), refused(asked_for(), WAITING).status)
    reading = planned(dwf)
    assert (kinds(reading), reading.status) == (["ReadCurrent"], dwf.status)
    again = refused(dwf, None)
    assert created(again)["metadata"]["name"] == "report-e3"
    assert again.status == dwf.status


def test_a_pod_that_lived_after_all_is_not_asked_for_under_its_epoch() -> None:
    """The answer got lost, and the pod was gone before anybody saw it."""
    dwf = with_status(asked_for(), refused(asked_for(), WAITING).status)
    assert created(planned(dwf, current=active(3), refusal=DUE))["metadata"]["name"] == "report-e4"


def test_a_pod_that_never_was_is_no_life_that_failed() -> None:
    failed = LastFailure(epoch=2, reason="PodFailed", message="", time="2026-02-01T12:00:00.000Z")
    dwf = workflow(**LIVED, failures=3, last_failure=failed)
    asked = with_status(dwf, planned(dwf, current=active(2)).status)
    made = planned(asked, current=active(2), refusal=DUE)
    assert created(made)["metadata"]["name"] == "report-e3"
    assert (reason(made), made.status.failures, made.status.last_failure) == ("QuotaExceeded", 3, failed)


def test_once_it_is_there_the_refusal_is_over() -> None:
    dwf = with_status(asked_for(), refused(asked_for(), WAITING).status)
    made = planned(dwf, pod(dwf, 3), refusal=WAITING)
    assert (kinds(made), made.status.phase, reason(made)) == ([], "Starting", "Restoring")


def test_the_very_first_pod_that_is_refused_is_still_the_first() -> None:
    dwf = with_status(workflow(), planned(workflow(), current=CurrentAbsent()).status)
    again = created(planned(dwf, current=CurrentAbsent(), refusal=DUE))
    assert again["metadata"]["name"] == "report-e1"
    told_to_keeper = {entry["name"]: entry.get("value") for entry in again["spec"]["initContainers"][0]["env"]}
    assert told_to_keeper["DORMOUSE_FIRST_CLAIM"] == "true"


def test_a_suspended_one_rests_and_asks_for_nothing() -> None:
    dwf = workflow({"spec.operatingMode": "Suspended"}, **{**LIVED, "epoch": 3, "pod_name": "report-e3"})
    made = refused(dwf, DUE)
    assert (kinds(made), made.status.phase) == ([], "Suspended")


@pytest.mark.parametrize(
    ("said", "reason_given", "remedy"),
    [
        ("failed quota: compute: must specify limits.memory for: litestream", "QuotaExceeded", "by a LimitRange with"),
        ("maximum memory usage per Container is 64Mi, but limit is 96Mi", "PodRefused", "or the LimitRange"),
        ('requests: Invalid value: "96Mi": must be less than or equal to memory limit of 32Mi', "PodRefused", "LimitR"),
        ('violates PodSecurity "restricted:latest": runAsNonRoot != true', "PodRefused", "Pod Security level"),
        ("no PriorityClass with name nope was found", "PodRefused", "correct priorityClassName"),
        ('pod rejected: RuntimeClass "nope" not found', "PodRefused", "correct runtimeClassName"),
        ('error looking up service account team/nope: serviceaccount "nope" not found', "PodRefused", "serviceAccount"),
        ('admission webhook "images.example.com" denied the request: no tag', "PodRefused", "that webhook wants"),
        ('User "system:x" cannot create resource "pods" in API group ""', "PodRefused", "the operator's roles back"),
        ("etcdserver: request is too large", "PodRefused", "make spec.template and spec.exec smaller"),
        ("trying to send message larger than max (2200505 vs. 2097152)", "PodRefused", "a ConfigMap that the template"),
        ("Request entity too large: limit is 3145728", "PodRefused", "a ConfigMap that the template mounts"),
        ('Pod in version "v1" cannot be handled as a Pod: json', "PodRefused", "the field of spec.template that"),
        ('Pod "report-e3" is invalid: spec.affinity: Required value', "PodRefused", "correct the field"),
        ("the moon is full", "PodRefused", "see what refuses it"),
    ],
)
def test_each_refusal_has_its_remedy(said: str, reason_given: str, remedy: str) -> None:
    made = refused(asked_for(), Refusal(said, 1.0))
    assert reason(made) == reason_given
    assert said in message(made)
    assert remedy in message(made)


def test_the_pauses_grow_up_to_five_minutes() -> None:
    assert [pause_seconds(count) for count in (1, 2, 3, 4, 9, 10, 1000)] == [1, 2, 4, 8, 256, 300, 300]
