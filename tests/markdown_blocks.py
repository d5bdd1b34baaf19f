"""Which blocks of code does a page hold? So that tests can run what the documentation says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_FENCE = re.compile(
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE
)
_HEADING = re.compile(r"^##+ (?P<heading>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    language: str
    title: str | None
    text: str


@dataclass(frozen=True)
class Example:
    """A command, and what the page shows as its answer."""

    command: str
    shown: str | None


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """List the fenced blocks in their order."""
    return [block for block in _blocks_of(page.read_text()) if language in (None, block.language)]


def _blocks_of(text: str) -> list[Block]:
    return [Block(*match.group("language", "title", "text")) for match in _FENCE.finditer(text)]


def examples(shown: Sequence[Block]) -> list[Example]:
    """The shell blocks among these, each with the text block that follows it."""
    found = [block for block in shown if block.language in ("bash", "text")]
    return [
        Example(one.text, after.text if after is not None and after.language == "text" else None)
        for one, after in zip_longest(found, found[1:])
        if one.language == "bash"
    ]


def examples_by_heading(page: Path) -> dict[str, list[Example]]:
    """What each section has the reader run; a section ends at the next heading of any level."""
    _, *rest = _HEADING.split(page.read_text())
    found = {heading: examples(_blocks_of(text)) for heading, text in zip(rest[::2], rest[1::2], strict=True)}
    return {heading: shown for heading, shown in found.items() if shown}


def fits(shown: str, printed: str) -> bool:
    """Whether it is the same but for what stands as `...`, and the widths of columns."""
    pattern = r"\s+".join(re.escape(word).replace(re.escape("..."), r"\S+") for word in shown.split())
    return re.fullmatch(pattern, " ".join(printed.split())) is not None


def write_titled(page: Path, folder: Path) -> list[Path]:
    """Write the blocks that have a file name into the folder, as a reader would."""
    files = []
    for block in blocks(page):
        if block.title is not None:
            file = folder / block.title
            file.write_text(block.text)
            files.append(file)
    return files


def relative_links(page: Path) -> list[str]:
    """List the links that lead to other files of the repository."""
    targets = (match["target"] for match in _LINK.finditer(page.read_text()))
    return [target for target in targets if "://" not in target and not target.startswith("#")]
