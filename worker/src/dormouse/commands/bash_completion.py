"""What has been typed when somebody presses TAB in bash, where a `:` parts words? Addresses have colons in them.

Bash parts words at each of COMP_WORDBREAKS, and what is offered takes the place of the last part alone. So the whole
line is read here, and from what is offered the parts are cut off that stand there already.
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, split_arg_string

_WORDS = 'COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD'
_LINE = 'COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS"'


class Bash(BashComplete):
    """In the place of click's own, whose name it has."""

    source_template = BashComplete.source_template.replace(_WORDS, _LINE)

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and that one as far as it is there."""
        line = os.environ["COMP_LINE"]
        _, *words = split_arg_string(line)
        if line[-1:].isspace() and not line.endswith("\\ "):
            words.append("")
        *before, self._typed = words or [""]
        return before, self._typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """What bash is to put in the place of the last part."""
        if item.type != "plain":
            return super().format_completion(item)
        there = max((self._typed.rfind(mark) for mark in _parting()), default=-1) + 1
        value = str(item.value)
        return f"plain,{value[there:] if value.startswith(self._typed[:there]) else value}"


def _parting() -> str:
    return "".join(mark for mark in os.environ.get("COMP_WORDBREAKS", "") if mark in ":=@")
