"""Can all tests be collected at once? pytest imports them by the names of their files alone."""

from __future__ import annotations

from collections import Counter

from markdown_blocks import REPOSITORY


def test_each_file_of_tests_has_a_name_of_its_own() -> None:
    names = Counter(path.name for path in (REPOSITORY / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
