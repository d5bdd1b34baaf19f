"""What did a call of a model use? As far as its answer tells it, in whichever style. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

_LARGEST_COUNT = 2**53


@dataclass(frozen=True)
class Usage:
    """What a call of a model used, as far as it was told.

    Attributes:
        input: all tokens that were sent, those of the provider's cache included.
        cost: in dollars.
        cached: how many of the input were found in the cache.
        written: how many of the input were put there.
        is_listed: whether the cost was not told, but reckoned from a list of prices.
    """

    input: int | None = None
    output: int | None = None
    cost: float | None = None
    cached: int = 0
    written: int = 0
    is_listed: bool = False


def usage_of(value: Any) -> Usage | None:
    """From the words of OpenAI, Anthropic or OpenTelemetry; None where a value tells of none."""
    if not isinstance(value, dict):
        return None
    first = [_count(value.get(name)) for name in ("prompt_tokens", "input_tokens")]
    beside = [_count(value.get(name)) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    details = next((value[name] for name in ("prompt_tokens_details", "input_tokens_details") if name in value), None)
    within = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    output = [_count(value.get(name)) for name in ("completion_tokens", "output_tokens")]
    asked = next((one for one in first if one is not None), None)
    said = next((one for one in output if one is not None), None)
    costs = [value.get(name) for name in ("cost", "total_cost", "cost_usd")]
    cost = next((float(one) for one in costs if _is_amount(one)), None)
    if asked is None and said is None and cost is None:
        return None
    # Anthropic's cached tokens come on top of its input, OpenAI's are a part of it.
    sent = None if asked is None else asked + sum(beside)
    return Usage(sent, said, cost, beside[0] + (within or 0), beside[1])


def _is_amount(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LARGEST_COUNT


def _count(value: Any) -> int | None:
    return int(value) if _is_amount(value) else None
