"""Is the page of the public API the public API: each name once, as it is called?"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "hack"))  # a program of its own, not part of the distribution

import reference

import dormouse.client

TWO_PAGES = 150
"""In lines; who needs more of them makes the public API smaller first."""


def named(module: ModuleType) -> str:
    return module.__name__


def section(module: ModuleType) -> str:
    """What the page says of a module."""
    return reference.PAGE.read_text().partition(f"\n## `{module.__name__}`\n")[2].partition("\n## ")[0]


def shown_names(module: ModuleType) -> list[str]:
    return re.findall(r"^\| `(\w+)\b(?! \.)", section(module), re.MULTILINE)


def test_the_page_is_what_the_code_says() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run hack/reference"


def test_the_page_fits_on_two_pages() -> None:
    assert len(reference.PAGE.read_text().splitlines()) <= TWO_PAGES


@pytest.mark.parametrize("module", reference.MODULES, ids=named)
def test_each_public_name_appears_exactly_once(module: ModuleType) -> None:
    shown = Counter(shown_names(module))
    assert shown == Counter(set(module.__all__))


@pytest.mark.parametrize("module", reference.MODULES, ids=named)
def test_no_two_public_names_mean_the_same(module: ModuleType) -> None:
    meant = Counter(id(getattr(module, name)) for name in module.__all__)
    assert set(meant.values()) == {1}


@pytest.mark.parametrize("module", reference.MODULES, ids=named)
def test_each_signature_takes_the_arguments_that_python_says(module: ModuleType) -> None:
    for name, arguments in re.findall(r"^\| `(\w+)\((.*?)\)` ", section(module), re.MULTILINE):
        taken = list(inspect.signature(getattr(module, name)).parameters.values())
        if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken):
            continue  # its keywords are those of a TypedDict
        shown = [re.split(r"[=:]", one)[0].strip("* ") for one in re.split(r", (?![^(]*\))", arguments)]
        assert [one for one in shown if one not in ("", "/")] == [one.name for one in taken], name


@pytest.mark.parametrize(("awaited", "other"), reference.AWAITED.items())
def test_what_is_awaited_is_called_as_what_is_not(awaited: str, other: str) -> None:
    def calls(name: str) -> dict[str, list[tuple[str, Any]]]:
        owner = getattr(dormouse.client, name)
        return {
            member: [(one.name, one.kind) for one in inspect.signature(function).parameters.values()]
            for member, function in vars(owner).items()
            if inspect.isfunction(function) and not member.startswith("_")
        }

    assert calls(awaited) == calls(other)
