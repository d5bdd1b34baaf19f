"""How do the figures of the fleet get into docs/benchmarks.md? As a block that says of how many workflows they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import docs_block
from frame import Figure

RECORD = docs_block.DOCS / "benchmarks-fleet.json"


def write(figures: Sequence[Figure], document: Mapping[str, Any]) -> None:
    """Put what a run found into the docs."""
    page = docs_block.with_block(docs_block.PAGE.read_text(), "fleet", block(figures, document))
    RECORD.write_text(json.dumps(document, indent=2) + "\n")
    docs_block.PAGE.write_text(page)


def block(figures: Sequence[Figure], document: Mapping[str, Any]) -> str:
    """The table, and before it the size of the fleet."""
    size = (
        f"With {document['workflows']:,} workflows of {document['tenants']} tenants, and {document['failing']:,} more"
    )
    return f"{size} that fail:\n\n{docs_block.block(figures, document)}"
