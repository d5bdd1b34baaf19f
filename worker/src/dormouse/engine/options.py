"""With which options does a call run? Those of the declaration, and what one call changes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Literal, TypedDict, get_args

from dormouse.engine.retry import RetryPolicy, check_number
from dormouse.errors import InvalidDefinition

ParentClose = Literal["cancel", "terminate", "abandon"]


class GivenActivityOptions(TypedDict, total=False):
    """The keywords of `@activity(...)` and of `with_options(...)`."""

    retry: RetryPolicy
    start_to_close_seconds: float | None
    schedule_to_close_seconds: float | None
    heartbeat_seconds: float | None


@dataclass(frozen=True)
class ActivityOptions:
    """How an activity is run.

    Attributes:
        retry: how it is tried again after an exception.
        start_to_close_seconds: how long one attempt may take.
        schedule_to_close_seconds: how long all attempts together may take, with the waits between them.
        heartbeat_seconds: how long one attempt may go without a `heartbeat`.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    start_to_close_seconds: float | None = None
    schedule_to_close_seconds: float | None = None
    heartbeat_seconds: float | None = None

    @cached_property
    def unlimited(self) -> bool:
        """Whether an attempt may take as long as it likes."""
        limits = (self.start_to_close_seconds, self.schedule_to_close_seconds, self.heartbeat_seconds)
        return limits == (None, None, None)

    def __post_init__(self) -> None:
        if not isinstance(self.retry, RetryPolicy):
            raise InvalidDefinition(f"retry must be a RetryPolicy(...), not {self.retry!r}")
        for name in ("start_to_close_seconds", "schedule_to_close_seconds", "heartbeat_seconds"):
            seconds = getattr(self, name)
            if seconds is None:
                continue
            check_number(name, seconds)
            if not seconds > 0:
                raise InvalidDefinition(f"{name} must be above 0, not {seconds}")


class GivenChildOptions(TypedDict, total=False):
    """The keywords of a workflow's `with_options(...)`."""

    id: str
    parent_close: ParentClose


@dataclass(frozen=True)
class ChildOptions:
    """How a workflow runs that another one calls.

    Attributes:
        id: of its execution; by default made of the caller's id and the number of the call.
        parent_close: what becomes of it when the caller ends first.
    """

    id: str | None = None
    parent_close: ParentClose = "cancel"

    def __post_init__(self) -> None:
        if self.id is not None and not isinstance(self.id, str):
            raise InvalidDefinition(f"id must be a text, not {self.id!r}")
        if self.parent_close not in get_args(ParentClose):
            raise InvalidDefinition(
                f"parent_close must be one of {', '.join(get_args(ParentClose))}, not {self.parent_close!r}"
            )


def changed_options(options: ActivityOptions, given: GivenActivityOptions) -> ActivityOptions:
    """Raises InvalidDefinition when one of them is unknown or makes no sense."""
    refuse_unknown(ActivityOptions, given.keys())
    return replace(options, **given)


def refuse_unknown(kind: type[ActivityOptions | ChildOptions], names: object) -> None:
    """Raises InvalidDefinition, naming what there is."""
    known = [one.name for one in fields(kind)]
    unknown = [name for name in names if name not in known]  # type: ignore[attr-defined]
    if unknown:
        raise InvalidDefinition(f"there is no option {unknown[0]!r}; there are: {', '.join(known)}")
