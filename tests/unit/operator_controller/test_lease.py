"""Who may lead? By the rules alone, with times made up."""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.lease import Terms, held, is_over, may_take, released, sight

TERMS = Terms()


def lease(me: str, time: str, found: dict[str, Any] | None = None) -> dict[str, Any]:
    return held(found, "team", "dormouse-operator", me, time, TERMS)


def test_a_lease_of_another_may_be_taken_only_after_it_stood_still_for_its_whole_duration() -> None:
    first = lease("a", "t1")
    sighting = sight(None, first, now=100.0)
    assert not may_take(first, sighting, "b", now=115.0)
    assert may_take(first, sight(sighting, first, now=115.1), "b", now=115.1)


def test_a_renewal_starts_the_wait_anew_whatever_time_it_tells() -> None:
    sighting = sight(None, lease("a", "t1"), now=100.0)
    renewed = lease("a", "a time long ago", lease("a", "t1"))
    sighting = sight(sighting, renewed, now=110.0)
    assert not may_take(renewed, sighting, "b", now=120.0)
    assert may_take(renewed, sighting, "b", now=125.1)


def test_a_lease_that_was_given_back_may_be_taken_at_once() -> None:
    free = released(lease("a", "t1"), "t2")
    assert may_take(free, sight(None, free, now=1.0), "b", now=1.0)


def test_taking_over_counts_a_transition_and_renewing_does_not() -> None:
    first = lease("a", "t1")
    renewed = lease("a", "t2", first)
    other = lease("b", "t3", renewed)
    told = [(each["spec"]["leaseTransitions"], each["spec"]["acquireTime"]) for each in (first, renewed, other)]
    assert told == [(0, "t1"), (0, "t1"), (1, "t3")]


def test_a_lease_that_is_written_keeps_the_version_that_was_read() -> None:
    found = lease("a", "t1")
    found["metadata"]["resourceVersion"] = "7"
    assert lease("b", "t2", found)["metadata"]["resourceVersion"] == "7"
    assert released(found, "t2")["metadata"]["resourceVersion"] == "7"


def test_a_leader_stops_before_anybody_else_may_start() -> None:
    assert TERMS.deadline_seconds < TERMS.duration_seconds
    assert not is_over(renewed_at=10.0, now=19.9, terms=TERMS)
    assert is_over(renewed_at=10.0, now=20.0, terms=TERMS)
