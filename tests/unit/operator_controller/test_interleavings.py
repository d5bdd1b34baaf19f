"""Does the operator keep its promises whatever happens between any two requests?

Two operators that both believe to lead, each with caches as old as the test likes; hypothesis chooses who goes on,
and what becomes of each request. At each creation: an epoch is never used twice and never at or below what was last
read from CURRENT, nothing of ours can still write, and the status says so already. At the end the faults stop, and
everything must come to rest.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dormouse_operator.controller.relisting import WATCHED
from unit.operator_controller.interleaved_server import Outcome
from unit.operator_controller.interleaved_story import Story

WHO = st.sampled_from(["a", "a", "b"])
POD_EVENTS = (
    "claims",
    "claims",
    "runs",
    "Completed",
    "Stopped",
    "ends unsealed",
    "is evicted",
    "vanishes",
    "deletions are obeyed",
    "deletions are obeyed, sealed",
    "StoreDenied",
    "VolumeLost",
    "loses its labels",
    "loses its owner",
    "says another epoch",
    "cannot go",
)
AROUND = (
    "a node is lost or found",
    "time moves",
    "time moves",
    "edit",
    "suspend",
    "resume",
    "delete",
    "the status is wiped",
    "the status says an old epoch",
    "the status says completed",
)


class UnderFire(RuleBasedStateMachine):
    """Any story. Its steps have the names of the story's own, so that what is found can be told again."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()

    @initialize(start=st.sampled_from(["nothing", "runs", "runs", "rests"]), is_deleted=st.booleans())
    def begins(self, start: str, is_deleted: bool) -> None:
        self.story.begins(start, is_deleted)

    @rule(who=WHO)
    def goes_on_as_it_should(self, who: str) -> None:
        self.story.goes_on_as_it_should(who)

    @rule(who=WHO)
    def goes_on_with_what_it_knows(self, who: str) -> None:
        self.story.goes_on_with_what_it_knows(who)

    @rule(who=WHO, requests=st.integers(0, 12))
    def works(self, who: str, requests: int) -> None:
        self.story.works(who, requests)

    @rule(who=WHO, outcome=st.sampled_from(Outcome), requests=st.integers(0, 8))
    def meets_a_fault(self, who: str, outcome: Outcome, requests: int) -> None:
        self.story.meets_a_fault(who, outcome, requests)

    @rule(who=WHO)
    def dies(self, who: str) -> None:
        self.story.dies(who)

    @rule(who=WHO)
    def hears_late(self, who: str) -> None:
        self.story.hears_late(who)

    @rule(who=WHO, count=st.sampled_from([0, 1, 2, 3, 1000]))
    def is_told(self, who: str, count: int) -> None:
        self.story.is_told(who, count)

    @rule(who=WHO, resource=st.sampled_from(WATCHED), is_taken=st.booleans())
    def lists(self, who: str, resource: Any, is_taken: bool) -> None:
        self.story.lists(who, resource, is_taken)

    @rule(event=st.sampled_from(POD_EVENTS), choice=st.integers(0, 5))
    def something_happens_to_a_pod(self, event: str, choice: int) -> None:
        self.story.something_happens_to_a_pod(event, choice)

    @rule(event=st.sampled_from(AROUND), amount=st.integers(0, 4))
    def something_happens_around(self, event: str, amount: int) -> None:
        self.story.something_happens_around(event, amount)

    def teardown(self) -> None:
        try:
            self.story.comes_to_rest()
        finally:
            self.story.close()


UnderFire.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestUnderFire = pytest.mark.timeout(600)(UnderFire.TestCase)


class UnderMoreFire(UnderFire):
    """Stories that nobody has seen yet."""


UnderMoreFire.TestCase.settings = settings(
    UnderFire.TestCase.settings, max_examples=2000, stateful_step_count=50, derandomize=False
)
TestUnderMoreFire = pytest.mark.long(pytest.mark.timeout(3600)(UnderMoreFire.TestCase))
