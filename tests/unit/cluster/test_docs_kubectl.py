"""Is everything that the verbs about a cluster take on their page?"""

from __future__ import annotations

import pytest

from dormouse._commands import root
from markdown_blocks import REPOSITORY

PAGE = REPOSITORY / "docs" / "kubectl.md"
VERBS = ("status", "suspend", "resume", "doctor", "logs")


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_on_the_page(verb: str) -> None:
    page = PAGE.read_text()
    command = root.get_command(root.make_context("dormouse", [verb]), verb)
    assert command is not None
    options = {parameter.opts[-1] for parameter in command.params if parameter.param_type_name == "option"}
    assert {name for name in options - {"--help", "--output"} if f"`{name}" not in page} == set()
