"""How is a value given on the command line?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec


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
        raise click.BadParameter(
            f"it is not JSON: {error}; text needs quotes, such as '\"tea\"'", param_hint=name
        ) from error
