"""Is a failed activity tried again, and when?"""

from __future__ import annotations

import pytest

from dormouse import InvalidDefinition, RetryPolicy
from dormouse.engine.retry import seconds_until_retry


def test_the_wait_grows_by_the_factor_up_to_the_maximum() -> None:
    policy = RetryPolicy(initial_seconds=1, factor=3, maximum_seconds=10)
    assert [seconds_until_retry(policy, attempt, ValueError()) for attempt in (1, 2, 3, 4)] == [1, 3, 9, 10]


def test_it_never_gives_up_by_default() -> None:
    assert seconds_until_retry(RetryPolicy(), 100_000, ValueError()) == 60


def test_the_last_attempt_is_the_last() -> None:
    policy = RetryPolicy(attempts=2)
    assert seconds_until_retry(policy, 1, ValueError()) is not None
    assert seconds_until_retry(policy, 2, ValueError()) is None


@pytest.mark.parametrize("kind", [LookupError, "LookupError", "KeyError"])
def test_an_error_that_is_not_retryable_ends_it_also_by_its_base_or_its_name(kind: type[Exception] | str) -> None:
    policy = RetryPolicy(non_retryable=(kind,))
    assert seconds_until_retry(policy, 1, KeyError()) is None
    assert seconds_until_retry(policy, 1, ValueError()) is not None


@pytest.mark.parametrize("wrong", [{"initial_seconds": -1}, {"factor": 0.5}, {"attempts": -1}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidDefinition, match="must not be negative"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]
