"""For how long does what CURRENT said count? Until any pod changed, and not again when the pods are as they were."""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.memory import Memories, Memory
from dormouse_operator.plan import CurrentAbsent, CurrentUnread, Refusal
from unit.operator_samples import store


def pod(version: int) -> dict[str, Any]:
    return {"metadata": {"name": "report-e1", "uid": "pod-uid", "resourceVersion": str(version)}}


def read(*pods: dict[str, Any]) -> Memory:
    memory = Memory("uid")
    memory.was_read(pods, CurrentAbsent())
    return memory


def test_what_was_read_counts_while_the_pods_stay_as_they_are() -> None:
    assert read(pod(1)).current((pod(1),)) == CurrentAbsent()


def test_what_was_read_before_a_pod_changed_counts_no_more() -> None:
    assert read(pod(1)).current((pod(2),)) == CurrentUnread()


def test_what_was_read_before_a_pod_lived_does_not_count_again_once_it_is_gone() -> None:
    memory = read()
    assert memory.current((pod(1),)) == CurrentUnread()
    assert memory.current(()) == CurrentUnread()


def test_what_was_read_before_a_pod_was_made_does_not_count_if_the_pod_is_gone_before_it_is_seen() -> None:
    memory = read()
    memory.was_taken()
    assert memory.current(()) == CurrentUnread()


def test_a_refused_pod_is_asked_for_again_after_growing_pauses() -> None:
    memory = Memory("uid")
    for now in (10.0, 20.0, 30.0):
        memory.was_refused("report-e1", 1, "exceeded quota", now)
    assert memory.refusal("report-e1", 1, 31.0) == Refusal("exceeded quota", 3.0)
    assert memory.refusal("report-e1", 1, 40.0) == Refusal("exceeded quota", 0.0)


def test_another_spec_is_asked_for_at_once_and_begins_anew() -> None:
    memory = Memory("uid")
    for now in (10.0, 20.0, 30.0):
        memory.was_refused("report-e1", 1, "exceeded quota", now)
    assert memory.refusal("report-e1", 2, 31.0) == Refusal("exceeded quota", 0.0)
    memory.was_refused("report-e1", 2, "exceeded quota", 31.0)
    assert memory.refusal("report-e1", 2, 31.0) == Refusal("exceeded quota", 1.0)


def test_a_refusal_says_nothing_of_another_pod_or_of_one_that_was_taken() -> None:
    memory = Memory("uid")
    memory.was_refused("report-e1", 1, "exceeded quota", 10.0)
    assert memory.refusal("report-e2", 1, 10.0) is None
    memory.was_taken()
    assert memory.refusal("report-e1", 1, 10.0) is None


def test_workflows_of_one_store_share_what_it_was_opened_with() -> None:
    memories = Memories()

    def credentials(key: bytes) -> Credentials:
        return Credentials({"accessKeyId": key}, None, "1")

    first = memories.opened(("team", "local"), store(), credentials(b"one"))
    assert memories.opened(("team", "local"), store(), credentials(b"one")) is first
    assert memories.opened(("other", "local"), store(), credentials(b"one")) is not first
    renewed = memories.opened(("team", "local"), store(), credentials(b"two"))
    assert renewed == (store(), credentials(b"two"))
