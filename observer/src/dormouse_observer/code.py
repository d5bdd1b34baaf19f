"""Which workflows does a person's code offer? Imported from a folder, a file, or by a module's name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from dormouse.engine.definitions import Workflow
from dormouse.engine.requests import by_name
from dormouse.errors import DormouseError
from dormouse.runtime.entrypoint import EntrypointFailed, NoModule, load


class NoCode(DormouseError):
    """It cannot be imported, or offers no workflow; the message says which module, and why."""


def workflows_of(code: str) -> dict[str, Workflow[..., Any]]:
    """The workflows by their names.

    Args:
        code: a folder, of which each Python file counts that decorates a workflow; a file; or a module's name.

    Raises:
        NoCode: with the user's mistake.
    """
    found: dict[str, Workflow[..., Any]] = {}
    for name, folder in _modules(code):
        try:
            offered = by_name(load(name, folder))
        except NoModule as error:
            raise NoCode(f"there is no folder, file or module {code!r} here") from error
        except (EntrypointFailed, DormouseError) as error:
            raise NoCode(f"{name}: {error}") from error
        for workflow, one in offered.items():
            if found.setdefault(workflow, one) is not one:
                raise NoCode(f"two modules of {code} have a workflow {workflow!r}; name one of the files instead")
    if not found:
        raise NoCode(f"{code} has no workflow: name a folder or a file in which one is decorated with @workflow")
    return found


def _modules(code: str) -> list[tuple[str, Path]]:
    path = Path(code)
    if path.is_dir():
        return [(file.stem, path.absolute()) for file in sorted(path.glob("*.py")) if _decorates_a_workflow(file)]
    if code.endswith(".py"):
        if not path.is_file():
            raise NoCode(f"there is no file {code}")
        return [(path.stem, path.parent.absolute())]
    if "/" in code or code.startswith("."):
        raise NoCode(f"there is no folder or file {code!r}; a module is named as shop.orders")
    return [(code, Path.cwd())]


def _decorates_a_workflow(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise NoCode(f"{file}:{error.lineno}: {error.msg}") from error
    return any(
        _name(decorator) == "workflow"
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef)
        for decorator in node.decorator_list
    )


def _name(decorator: ast.expr) -> str | None:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", None)
