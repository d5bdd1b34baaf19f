"""Which blocks of code does a page hold? So that tests can run what the documentation says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_FENCE = re.compile(
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    language: str
    title: str | None
    text: str


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """List the fenced blocks in their order."""
    found = (Block(*match.group("language", "title", "text")) for match in _FENCE.finditer(page.read_text()))
    return [block for block in found if language in (None, block.language)]


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
