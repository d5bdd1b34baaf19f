"""Does each alert lead to a section of the page on operations that says what to do, and each section to an alert?"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from chart_rules import CHARTS
from markdown_blocks import REPOSITORY

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((CHARTS / "dormouse" / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PAGE = (REPOSITORY / "docs" / "operations.md").read_text()
SECTION = PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]


def test_each_alert_has_a_section_in_the_same_order_and_no_section_is_about_none() -> None:
    assert re.findall(r"^### (\w+)$", SECTION, re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_the_remedy_stands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
