"""What is public, and how is it called? The page docs/reference.md, made of signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import dormouse
import dormouse.client
import dormouse.testing

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
MODULES = (dormouse, dormouse.client, dormouse.testing)
_HEAD = """# Reference

Every public name, in the words of its docstring; `help(dormouse.Engine)` says more. Types are left out: your editor and
mypy know them. `=...` is a default that stands for "not given". What is not on this page may change at any time.

<!-- Written by `hack/reference`; a test holds it against the code. -->
"""
_ABOUT = {
    "dormouse": "What workflows, activities and the process that runs them are made of.",
    "dormouse.client": "For other processes, over HTTP; needs the extra `client`. "
    "Methods that are called as those of `dormouse.Engine` and `dormouse.Handle` are not repeated; those "
    "give the same `Execution`, `Event` and so on, which need no extra.",
    "dormouse.testing": "Also as the pytest fixture `durable`, a `Durable`.",
}
# Some classes have more for the engine's own use.
_MEMBERS = {
    "Engine": ("start", "handle", "executions", "approvals", "resume", "recovered", "settled", "close"),
    "Client": ("close",),
    "Workflow": ("with_options",),
    "Activity": ("with_options",),
    "ManualClock": ("present", "next_due", "advance", "jump_to"),
    "VirtualEngine": ("sleep", "crashed"),
    "Codec": ("encode", "decode"),
}
_LIKE: dict[type[Any], type[Any]] = {dormouse.client.Handle: dormouse.Handle}
# Their methods are those of the other one, to be awaited.
AWAITED = {"AsyncClient": "Client", "AsyncHandle": "Handle"}
# What users are given and never make, and a protocol.
_HANDED_OUT = {"Handle", "AsyncHandle", "Workflow", "Activity", "Codec", "VirtualEngine"}
_RAISED_BY_USERS = {"RetryAfter"}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for module in MODULES:
        names = sorted(module.__all__, key=lambda name: _is_error(getattr(module, name)))  # errors last
        rows = [row for name in names for row in _rows(module, name)]
        parts.append(f"\n## `{module.__name__}`\n\n{_ABOUT[module.__name__]}\n\n")
        parts.append("\n".join(["| name | what |", "|---|---|", *rows, ""]))
    return "".join(parts)


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException) and value.__name__ not in _RAISED_BY_USERS


def _rows(module: ModuleType, name: str) -> Iterator[str]:
    value = getattr(module, name)
    yield f"| `{name}{_signature(value) if _is_made_by_users(name, value) else ''}` | {_sentence(value)} |"
    if inspect.isclass(value) and name not in AWAITED and not issubclass(value, BaseException):
        for member in members(value, name):
            yield _member_row(value, member)


def _is_made_by_users(name: str, value: Any) -> bool:
    return name not in _HANDED_OUT and not _is_error(value)


def members(owner: type[Any], name: str) -> list[str]:
    """The methods and properties that the page shows of a class."""
    if name in _MEMBERS:
        return list(_MEMBERS[name])
    found = {key: value for key, value in vars(owner).items() if not key.startswith("_")}
    shown = [key for key, value in found.items() if inspect.isfunction(value) or isinstance(value, property)]
    known = _LIKE.get(owner)
    return [key for key in shown if known is None or not _is_called_alike(owner, known, key)]


def _is_called_alike(owner: type[Any], other: type[Any], name: str) -> bool:
    return hasattr(other, name) and _signature(getattr(owner, name)) == _signature(getattr(other, name))


def _member_row(owner: type[Any], name: str) -> str:
    member = inspect.getattr_static(owner, name)
    if isinstance(member, property):
        return f"| `.{name}` | {_sentence(member.fget)} |"
    awaited = "await " if _is_awaited(member) else ""
    return f"| `{awaited}.{name}{_signature(member)}` | {_sentence(member)} |"


def _is_awaited(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or str(function.__annotations__["return"]).startswith("Coroutine[")


def _signature(value: Any) -> str:
    """Without types; the keywords of a TypedDict one by one."""
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            parameters += _keywords(value, parameter)
        else:
            parameters.append(parameter.replace(annotation=inspect.Parameter.empty, default=_shown(parameter.default)))
    return str(inspect.Signature(parameters))


class _NotGiven:
    def __repr__(self) -> str:
        return "..."


def _shown(default: Any) -> Any:
    return _NotGiven() if type(default) is object else default


def _keywords(value: Any, parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    given = typing.get_args(typing.get_type_hints(value)[parameter.name])[0]
    for name in given.__annotations__:
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_NotGiven())


def _sentence(value: Any) -> str:
    paragraph = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
    if not paragraph:
        raise ValueError(f"{value.__qualname__} is public and has no docstring")
    return re.sub(r"(?<!\\)\|", r"\\|", paragraph)


if __name__ == "__main__":
    PAGE.write_text(page())
