"""Is a failed activity tried again, and when? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from dormouse.errors import InvalidDefinition


@dataclass(frozen=True)
class RetryPolicy:
    """How an activity is tried again.

    Attributes:
        initial_seconds: the wait after the first failure.
        factor: each further wait is so many times longer.
        maximum_seconds: no wait is longer than this; at least initial_seconds.
        attempts: give up after so many attempts; 0 never gives up.
        jitter: each wait is shorter by up to this part of it, so that not all calls come back at once.
        non_retryable: exceptions, as types or as names, that are failures for good at once.
    """

    initial_seconds: float = 1.0
    factor: float = 2.0
    maximum_seconds: float = 60.0
    attempts: int = 0
    jitter: float = 0.0
    non_retryable: tuple[type[BaseException] | str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("initial_seconds", "factor", "maximum_seconds", "jitter"):
            check_number(name, getattr(self, name))
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise InvalidDefinition(f"attempts must be a whole number, not {self.attempts!r}")
        if not _are_exceptions(self.non_retryable):
            raise InvalidDefinition(
                f"non_retryable must be a tuple of exceptions, as types or as names, not {self.non_retryable!r}"
            )
        if not (self.initial_seconds >= 0 and self.maximum_seconds >= 0 and self.factor >= 1 and self.attempts >= 0):
            raise InvalidDefinition(
                f"{self}: initial_seconds, maximum_seconds and attempts must not be negative, factor at least 1"
            )
        if self.initial_seconds > self.maximum_seconds:
            raise InvalidDefinition(
                f"initial_seconds is {self.initial_seconds:g}, but no wait is longer than maximum_seconds, "
                f"which is {self.maximum_seconds:g}: give a longer maximum_seconds too"
            )
        if not 0 <= self.jitter <= 1:
            raise InvalidDefinition(f"{self}: jitter must be a part from 0 to 1")


def check_number(name: str, value: object) -> None:
    """Raises InvalidDefinition, naming the option."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDefinition(f"{name} must be a number, not {value!r}")


def _are_exceptions(named: object) -> bool:
    return isinstance(named, tuple) and all(
        isinstance(one, str) or (isinstance(one, type) and issubclass(one, BaseException)) for one in named
    )


def seconds_until_retry(policy: RetryPolicy, attempt: int, error: BaseException, chance: float = 0.0) -> float | None:
    """How long to wait after this attempt failed with this error; None when it was the last one.

    Args:
        policy: the call's.
        attempt: the number of the one that failed.
        error: what it raised. Its `retry_after`, in seconds, is the wait when it has one.
        chance: from 0 up to 1: how much of the jitter is used.
    """
    if policy.attempts and attempt >= policy.attempts:
        return None
    if any(_matches(error, kind) for kind in policy.non_retryable):
        return None
    asked = _asked_seconds(error)
    if asked is not None:
        return asked
    try:
        wait = policy.initial_seconds * policy.factor ** (attempt - 1)
    except OverflowError:
        wait = policy.maximum_seconds
    return min(wait, policy.maximum_seconds) * (1 - policy.jitter * chance)


def chance_of(idempotency_key: str, attempt: int) -> float:
    """A number from 0 up to 1 that is the same whenever this attempt is asked about."""
    return int.from_bytes(sha256(f"{idempotency_key}#{attempt}".encode()).digest()[:4]) / 2**32


def _asked_seconds(error: BaseException) -> float | None:
    """The services' own word, as many clients hand it on with their exceptions."""
    try:
        asked = getattr(error, "retry_after", None)
    except Exception:  # noqa: BLE001 - a property of the user's
        return None
    if isinstance(asked, timedelta):
        asked = asked.total_seconds()
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return None
    return float(asked) if 0 <= asked < float("inf") else None


def _matches(error: BaseException, kind: type[BaseException] | str) -> bool:
    if isinstance(kind, str):
        return any(ancestor.__name__ == kind for ancestor in type(error).__mro__)
    return isinstance(error, kind)
