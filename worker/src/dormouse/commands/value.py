"""How is a value given on the command line?"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

_NO_NUMBER = re.compile(r"\b(NaN|nan|Infinity|inf)\b|\d[eE]\+?\d{3}")


def parse_value(text: str, name: str) -> Any:
    """JSON as it stands, of a file when it begins with @, of the standard input when it is a dash.

    Raises:
        BadParameter: naming the parameter that it was given as.
    """
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except OSError as error:
            raise click.BadParameter(f"{text[1:]}: {error.strerror}", param_hint=name) from error
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"it is not JSON: {error}; {_remedy(text)}", param_hint=name) from error


def _remedy(text: str) -> str:
    if _NO_NUMBER.search(text):
        return "JSON has no NaN and no infinity, and no number beyond 1e308; give null, a text or another number"
    return "text needs quotes, such as '\"tea\"'"
