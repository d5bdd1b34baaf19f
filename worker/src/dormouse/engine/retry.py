"""Is a failed activity tried again, and when? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dormouse.errors import InvalidDefinition


@dataclass(frozen=True)
class RetryPolicy:
    """How an activity is tried again.

    Attributes:
        initial_seconds: the wait after the first failure.
        factor: each further wait is so many times longer.
        maximum_seconds: no wait is longer than this.
        attempts: give up after so many attempts; 0 never gives up.
        non_retryable: exceptions, as types or as names, that are failures for good at once.
    """

    initial_seconds: float = 1.0
    factor: float = 2.0
    maximum_seconds: float = 60.0
    attempts: int = 0
    non_retryable: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        if self.initial_seconds < 0 or self.maximum_seconds < 0 or self.factor < 1 or self.attempts < 0:
            raise InvalidDefinition(
                f"{self}: initial_seconds, maximum_seconds and attempts must not be negative, factor at least 1"
            )


def seconds_until_retry(policy: RetryPolicy, attempt: int, error: BaseException) -> float | None:
    """How long to wait after this attempt failed with this error; None when it was the last one."""
    if policy.attempts and attempt >= policy.attempts:
        return None
    if any(_matches(error, kind) for kind in policy.non_retryable):
        return None
    try:
        wait = policy.initial_seconds * policy.factor ** (attempt - 1)
    except OverflowError:
        return policy.maximum_seconds
    return min(wait, policy.maximum_seconds)


def _matches(error: BaseException, kind: type[BaseException] | str) -> bool:
    if isinstance(kind, str):
        return any(ancestor.__name__ == kind for ancestor in type(error).__mro__)
    return isinstance(error, kind)
