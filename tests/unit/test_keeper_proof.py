"""Until when may a pod act that nobody proves anything of?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dormouse.keeper.proof import Bound

SECONDS = st.integers(1, 86400)


@given(SECONDS, st.floats(0, 100_000))
def test_whoever_is_told_to_end_has_ended_within_the_bound(seconds: float, age: float) -> None:
    """From the last proof on, however late it is told."""
    bound = Bound(seconds)
    assert age + bound.until_killed(age) <= max(age, seconds) * (1 + 1e-9)


@given(SECONDS)
def test_whoever_is_told_in_time_has_a_quarter_of_the_bound_to_end(seconds: float) -> None:
    bound = Bound(seconds)
    assert bound.until_killed(bound.told_after) == seconds / 4
    assert bound.until_killed(0) == seconds / 4


@given(SECONDS)
def test_several_questions_may_stay_unanswered_before_it_is_told(seconds: float) -> None:
    bound = Bound(seconds)
    assert 5 * bound.ask_every < bound.told_after
