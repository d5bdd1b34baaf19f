"""What does kubectl want to be told when somebody presses TAB behind `kubectl dormouse`?

It runs `kubectl_complete-dormouse` with the words behind `dormouse`, of which the last is the one that is being typed,
and reads a choice from each line, with what it means behind a tab; the last line is a directive of the library Cobra.
"""

from __future__ import annotations

from collections.abc import Sequence

from click.shell_completion import ShellComplete

from dormouse._commands import root

_FILES, _NOTHING_ELSE, _FOLDERS = ":0", ":4", ":16"
_DIRECTIVES = {"file": _FILES, "dir": _FOLDERS}


def offered(words: Sequence[str]) -> str:
    """The lines that kubectl reads."""
    *typed, incomplete = words or ("",)
    items = ShellComplete(root, {}, "kubectl dormouse", "").get_completions(typed, incomplete)
    # Cobra offers files only where there is no choice, so they do not hide the names.
    choices = [f"{item.value}\t{item.help}" if item.help else str(item.value) for item in items if item.type == "plain"]
    directive = next((_DIRECTIVES[item.type] for item in items if item.type in _DIRECTIVES), _NOTHING_ELSE)
    return "\n".join([*choices, directive])
