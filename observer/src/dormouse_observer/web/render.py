"""How does a page become HTML? Everything from a file is escaped, and shown so that it cannot act."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dormouse.engine.clock import to_datetime
from dormouse.engine.journal import Kind
from dormouse_observer.web.durations import duration
from dormouse_observer.web.payload_view import size_text
from dormouse_observer.web.visible import finalized

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
_YEARS_THAT_ARE = OverflowError, ValueError, OSError


class Renderer:
    """The templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "day_and_time": day_and_time,
            "duration": duration,
            "iso": iso,
            "kind_class": kind_class,
            "moment": moment_element,
            "number": lambda value: f"{value:,}",
            "in_path": lambda text: quote(text, safe=""),
            "size": size_text,
        }

    def render(self, name: str, **values: Any) -> str:
        """A page."""
        return self._environment.get_template(name).render(**values)


def moment_element(moment: int) -> Markup:
    """For people and for programs."""
    return Markup('<time datetime="%s">%s</time>') % (iso(moment), day_and_time(moment))


_ENDINGS = {
    "bad": ("Failed", "Expired"),
    "good": ("Completed", "Fired", "Decided"),
    "gone": ("Cancelled", "Terminated", "Withdrawn", "CancelRequested"),
    "sent": ("Received", "Accepted"),
}
_CLASSES = {str(kind): name for name, endings in _ENDINGS.items() for kind in Kind if kind.endswith(endings)}


def kind_class(kind: str) -> str:
    """What sort of event this is; its colour says so."""
    return _CLASSES.get(kind, "asked")


def day_and_time(moment: int) -> str:
    """For people, in UTC."""
    try:
        return f"{to_datetime(moment):%Y-%m-%d %H:%M:%S}"
    except _YEARS_THAT_ARE:
        return f"{moment} µs"


def iso(moment: int) -> str:
    """For programs, and for those who want to know exactly."""
    try:
        return to_datetime(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except _YEARS_THAT_ARE:
        return ""
