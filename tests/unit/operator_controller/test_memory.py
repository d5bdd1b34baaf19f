"""For how long does what CURRENT said count? Until any pod changed, and not again when the pods are as they were."""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.memory import Memory
from dormouse_operator.plan import CurrentAbsent, CurrentUnread


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
