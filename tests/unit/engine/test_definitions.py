"""What is a workflow, what is an activity?"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import dormouse
from dormouse import Activity, InvalidDefinition, RetryPolicy, activity, activity_info, now, random, uuid4, workflow


@activity
async def double(number: int) -> int:
    return 2 * number


@activity(retry=RetryPolicy(attempts=3), start_to_close_seconds=5)
def where(_: int) -> str:
    return threading.current_thread().name


@activity
def who() -> str:
    return activity_info().activity


def test_an_activity_called_outside_a_workflow_just_runs() -> None:
    assert asyncio.run(double(4)) == 8


def test_a_plain_function_runs_in_a_thread() -> None:
    assert asyncio.run(where(1)) != threading.main_thread().name


def test_activity_info_is_known_without_an_engine() -> None:
    assert asyncio.run(who()) == "who"


def test_activity_info_outside_an_activity_says_so() -> None:
    with pytest.raises(dormouse.DormouseError, match="only known inside a running activity"):
        activity_info()


def test_workflow_info_outside_a_workflow_says_so() -> None:
    with pytest.raises(dormouse.DormouseError, match="only known inside a running workflow"):
        dormouse.workflow_info()


def test_options_are_kept() -> None:
    assert isinstance(where, Activity)
    assert (where.options.retry.attempts, where.options.start_to_close_seconds) == (3, 5)


def test_outside_a_workflow_time_and_chance_are_real() -> None:
    assert now().tzinfo is not None
    assert 0 <= random() < 1
    assert uuid4() != uuid4()


def test_a_workflow_must_be_async() -> None:
    with pytest.raises(InvalidDefinition, match="async def"):
        workflow(lambda: 3)  # type: ignore[arg-type, return-value]


def test_a_workflow_takes_at_most_one_parameter() -> None:
    async def two(one: int, other: int) -> None: ...

    with pytest.raises(InvalidDefinition, match="put several values into a dataclass"):
        workflow(two)


def test_a_time_limit_must_be_above_zero() -> None:
    with pytest.raises(InvalidDefinition, match="above 0"):
        activity(start_to_close_seconds=0)(lambda: None)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(dormouse, name) is not None for name in dormouse.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dormouse.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retry": 3}, r"retry must be a RetryPolicy\(...\), not 3"),
        ({"start_to_close_seconds": "3s"}, "start_to_close_seconds must be a number, not '3s'"),
        ({"heartbeat_seconds": True}, "heartbeat_seconds must be a number, not True"),
        ({"schedule_to_close_seconds": float("nan")}, "schedule_to_close_seconds must be above 0, not nan"),
    ],
)
def test_an_option_of_the_wrong_type_is_refused_where_it_is_declared(options: Any, told: str) -> None:
    with pytest.raises(InvalidDefinition, match=told):
        activity(**options)
    with pytest.raises(InvalidDefinition, match=told):
        activity(lambda: None).with_options(**options)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"attempts": "3"}, "attempts must be a whole number, not '3'"),
        ({"attempts": 1.5}, "attempts must be a whole number, not 1.5"),
        ({"initial_seconds": "1"}, "initial_seconds must be a number, not '1'"),
        ({"maximum_seconds": float("nan")}, "must not be negative"),
        ({"initial_seconds": 600}, "initial_seconds is 600, but no wait is longer than maximum_seconds, which is 60"),
        ({"non_retryable": ValueError}, "non_retryable must be a tuple of exceptions"),
        ({"non_retryable": (3,)}, "non_retryable must be a tuple of exceptions"),
    ],
)
def test_a_policy_of_wrong_values_is_refused(policy: Any, told: str) -> None:
    with pytest.raises(InvalidDefinition, match=told):
        RetryPolicy(**policy)
