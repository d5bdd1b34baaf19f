"""Is a cost only said where it was told, or where a list of prices has all that it takes?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse_observer.web.lane import Recorded, lane
from dormouse_observer.web.messages import recognised
from dormouse_observer.web.prices import InvalidPrices, PriceList, read_prices
from dormouse_observer.web.usage import Usage
from markdown_blocks import REPOSITORY, blocks

LIST = """\
date = 2026-05-01

[models."gpt-x"]
input = 2
output = 10
cached_input = 0.5

[models.plain]
input = 1
output = 1
"""


@pytest.fixture
def prices(tmp_path: Path) -> PriceList:
    file = tmp_path / "prices.toml"
    file.write_text(LIST)
    return read_prices(file)


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gpt-x", Usage(1_000_000, 100_000), 3),
        ("gpt-x", Usage(1_000_000, 0, cached=400_000), 1.4),
        ("plain", Usage(500_000, 500_000), 1),
        ("gpt-x", Usage(1_000_000, 100_000, cost=7), 7),
        ("gpt-x-mini", Usage(1_000_000, 100_000), None),
        ("", Usage(1_000_000, 100_000), None),
        ("plain", Usage(1_000_000, 0, cached=1), None),
        ("gpt-x", Usage(1_000_000, 0, written=1), None),
        ("gpt-x", Usage(1_000_000, None), None),
    ],
)
def test_a_call_costs_what_was_told_or_what_the_list_says_of_each_of_its_tokens(
    prices: PriceList, model: str, usage: Usage, cost: float | None
) -> None:
    found = prices.priced(model, usage)
    assert found.cost == (None if cost is None else pytest.approx(cost))
    assert found.is_listed == (cost is not None and usage.cost is None)


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}, (9, 4, 0)),
        ({"input_tokens": 9, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 4}}, (9, 4, 0)),
        (
            {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2},
            (15, 4, 2),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": "x"}, (9, 0, 0)),
    ],
)
def test_tokens_of_a_cache_are_told_from_the_others(usage: dict[str, Any], found: tuple[int, int, int]) -> None:
    seen = recognised({"choices": [{"message": {"role": "assistant", "content": "."}}], "usage": usage})
    assert seen is not None
    assert seen.usage is not None
    assert (seen.usage.input, seen.usage.cached, seen.usage.written) == found


def asked(model: str) -> Recorded:
    message = {"role": "assistant", "content": "."}
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    return Recorded(
        1, 2, "activity", "ask", 0, "1 µs", None, {"model": model, "choices": [{"message": message}], "usage": usage}
    )


def test_a_sum_says_of_how_many_calls_it_does_not_know(prices: PriceList) -> None:
    found = lane([asked("gpt-x"), asked("other"), asked("plain")], prices=prices)
    assert found.usage.cost == pytest.approx(3)
    assert (found.usage.is_listed, found.unpriced) == (True, 1)
    assert lane([asked("gpt-x")]).usage.cost is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date = ", "Invalid value"),
        ("[models]", "missing required field `date`"),
        ("date = 2026-05-01\n[models.x]\ninput = 1", "missing required field `output`"),
        ("date = 2026-05-01\n[models.x]\ninput = -1\noutput = 1", ">= 0"),
        ("date = 2026-05-01\n[models.x]\ninput = 1\noutput = 1\nouput = 1", "unknown field `ouput`"),
    ],
)
def test_what_is_no_list_of_prices_is_refused_before_anything_is_opened(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(InvalidPrices, match=told):
        read_prices(file)
    ran = CliRunner().invoke(root, ["open", "--no-browser", "nothing.sqlite", "--prices", str(file)])
    assert (ran.exit_code, "--prices" in ran.stderr, "dollars for a million tokens" in ran.stderr) == (2, True, True)


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidPrices, match="cannot read"):
        read_prices(tmp_path / "none.toml")


def test_the_list_of_the_docs_is_one(tmp_path: Path) -> None:
    (block,) = blocks(REPOSITORY / "docs" / "observing.md", "toml")
    (tmp_path / "prices.toml").write_text(block.text)
    assert read_prices(tmp_path / "prices.toml").models
