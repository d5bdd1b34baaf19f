"""What did a call of a model cost, by a list of prices that somebody has given? Nothing is guessed.

Prices change, and who pays which is in no file of executions: so none is shipped, and a list says its date.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec

from dormouse.errors import DormouseError
from dormouse_observer.web.usage import Usage

_A_MILLION = 1_000_000

Dollars = Annotated[float, msgspec.Meta(ge=0)]


class InvalidPrices(DormouseError):
    """The file is no list of prices; the message names the field."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one model, in dollars for a million tokens.

    Attributes:
        input: of what is sent, and not found in a cache.
        output: of what comes back.
        cached_input: of what is sent and found in the provider's cache.
        cache_write: of what is sent and put there.
    """

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices by the name of the model, exactly as its answers name it, and the day they were looked up."""

    date: dt.date
    models: dict[str, Price]

    def priced(self, model: str, usage: Usage) -> Usage:
        """With what it cost, unless the provider has told that, or the list does not say it."""
        price = self.models.get(model)
        if usage.cost is not None or price is None or usage.input is None or usage.output is None:
            return usage
        parts = (
            (usage.input - usage.cached - usage.written, price.input),
            (usage.cached, price.cached_input),
            (usage.written, price.cache_write),
            (usage.output, price.output),
        )
        dollars = 0.0
        for tokens, each in parts:
            if tokens and each is None:
                return usage
            dollars += max(0, tokens) * (each or 0) / _A_MILLION
        return replace(usage, cost=dollars, is_listed=True)


def read_prices(file: Path) -> PriceList:
    """Read a list.

    Raises:
        InvalidPrices: naming the file and the field.
    """
    try:
        return msgspec.toml.decode(file.read_bytes(), type=PriceList)
    except OSError as error:
        raise InvalidPrices(f"cannot read {file}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPrices(
            f"{file} is no list of prices: {error}; it has `date = 2026-05-01` and, for each model, "
            '`[models."NAME"]` with `input` and `output` in dollars for a million tokens'
        ) from error
