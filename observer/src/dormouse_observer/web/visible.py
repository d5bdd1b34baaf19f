"""How is text from a file shown so that no character of it acts, hides or turns the text around? Pure."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what a terminal obeys, but not tabs and line breaks
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # what turns text around, or has no width
    "\ud800-\udfff\U000e0000-\U000e007f]"  # half of a character; tags, in which text can be hidden
)
_PICTURES_BEGIN, _PICTURES = 0x2400, 0x20
_DELETE = "\x7f"


def visible(text: str) -> str:
    """The text with a picture, or the number, in the place of each character that is not just shown."""
    return _ACTS.sub(_shown, text)


def finalized(value: Any) -> Any:
    """What a template is about to write; nearly all of it is short and harmless, so that comes first."""
    kind = type(value)
    if kind is int or kind is float or kind is Markup:
        return value
    text = str(value)
    return text if text.isascii() and text.isprintable() else visible(text)


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    if ord(character) < _PICTURES:
        return chr(_PICTURES_BEGIN + ord(character))
    return "␡" if character == _DELETE else f"⟨U+{ord(character):04X}⟩"
