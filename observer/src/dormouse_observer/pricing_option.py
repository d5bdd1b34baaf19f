"""How do verbs that tell what calls of models cost get a list of prices?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dormouse_observer.web.prices import PriceList


def _read(_: click.Context, parameter: click.Parameter, file: Path | None) -> PriceList | None:
    from dormouse_observer.web.prices import InvalidPrices, read_prices

    try:
        return None if file is None else read_prices(file)
    except InvalidPrices as wrong:
        raise click.BadParameter(str(wrong), param=parameter) from wrong


def with_prices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--prices`; the function is given the list that is in the file, or None."""
    return click.option(
        "--prices",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_read,
        help="What the tokens of each model cost, as TOML. Default: only costs that the provider has told are shown.",
    )(function)
