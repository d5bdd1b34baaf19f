"""What does the chart allow the operator? Read without Helm: apart from names, its rules are plain YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parents[1] / "charts"
TEMPLATES = CHARTS / "dormouse" / "templates"
_FILES = ("_served_rules.tpl", "leading.yaml", "nodes.yaml", "cordons.yaml", "reports.yaml")
_WHOLE_LINE = re.compile(r"^\s*\{\{.*\}\}\s*$", re.MULTILINE)
_WITHIN_A_LINE = re.compile(r"\{\{.*?\}\}")


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one kind; a subresource stands behind a slash."""

    resource: str
    verb: str


def rules() -> list[dict[str, Any]]:
    """All rules of all roles."""
    found: list[dict[str, Any]] = []
    for name in _FILES:
        text = _WITHIN_A_LINE.sub("a-name", _WHOLE_LINE.sub("", (TEMPLATES / name).read_text()))
        for document in yaml.safe_load_all(text):
            found += document if isinstance(document, list) else (document or {}).get("rules") or []
    return found


def grants() -> frozenset[Grant]:
    """The same, verb by verb."""
    return frozenset(
        Grant(resource, verb) for rule in rules() for resource in rule["resources"] for verb in rule["verbs"]
    )


def needed_for(method: str, resource: str, name: str, *, is_watch: bool) -> Grant:
    """What a request must be allowed, as the API server sees it."""
    reading = "get" if name else "watch" if is_watch else "list"
    verbs = {"GET": reading, "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return Grant(resource, verbs[method])
