"""How is a value given on the command line, and what is wrong with one that is no JSON?"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

_NO_NUMBER = re.compile(r"\b(NaN|nan|Infinity|inf)\b|\d[eE]\+?\d{3}")
_LONGEST_SHOWN = 20


def parse_value(text: str, name: str) -> Any:
    """JSON as it stands, of a file when it begins with @, of the standard input when it is a dash.

    Raises:
        BadParameter: naming the parameter that it was given as, where in it what is wrong, and what to do.
    """
    source = text if text == "-" or text.startswith("@") else ""
    try:
        if source == "-":
            text = sys.stdin.read()
        elif source:
            text = Path(source[1:]).read_text()
    except OSError as error:
        raise click.BadParameter(f"{source[1:]}: {error.strerror}", param_hint=name) from error
    except UnicodeDecodeError as error:
        told = f"{source} is not UTF-8 at byte {error.start + 1}; save it as UTF-8"
        raise click.BadParameter(told, param_hint=name) from error
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        told = f"it is not JSON: {_what_is_wrong(text, str(error))}; {_remedy(text, source)}"
        raise click.BadParameter(told, param_hint=name) from error


def _what_is_wrong(text: str, otherwise: str) -> str:
    """Python's own parser knows the place; what it takes all the same, such as NaN, it cannot tell of."""
    try:
        json.loads(text)
    except json.JSONDecodeError as wrong:
        rest = text[wrong.pos :].strip()
        shown = f"{rest[:_LONGEST_SHOWN]}{'…' * (len(rest) > _LONGEST_SHOWN)}"
        place = f"before {shown}" if rest else "where it ends too early"
        return f"{wrong.msg[:1].lower()}{wrong.msg[1:]}, line {wrong.lineno}, column {wrong.colno}, {place}"
    except (ValueError, RecursionError):
        pass
    return otherwise


def _remedy(text: str, source: str) -> str:
    if _NO_NUMBER.search(text):
        return "JSON has no NaN and no infinity, and no number beyond 1e308; give null, a text or another number"
    if source:
        return f"mend it in {'what is piped here' if source == '-' else source[1:]}"
    if text.lstrip()[:1] in ("{", "[", '"'):
        return 'put all of it in single quotes, such as \'{"item": "tea"}\', or into a file, and give @FILE'
    return "text needs quotes, such as '\"tea\"'"
