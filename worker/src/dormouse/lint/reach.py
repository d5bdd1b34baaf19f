"""Which functions of a module run as part of a workflow? The workflows, and the plain functions that they use."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from dormouse.lint.names import Function, Scope, inside, scope_of_function

_DEFINITIONS = "dormouse.engine.definitions"
_WORKFLOW = {"dormouse.workflow", f"{_DEFINITIONS}.workflow"}
_ACTIVITY = {f"{module}.{name}" for module in ("dormouse", _DEFINITIONS) for name in ("activity", "transaction")}
_RUN_WITH_THE_CLASS = ("__init__", "__new__", "__post_init__")


@dataclass(frozen=True)
class WorkflowCode:
    """A function that runs as part of a workflow.

    Attributes:
        function: itself.
        workflow: the name of the workflow.
        is_workflow: whether it is the workflow itself, and not a function that this uses.
    """

    function: Function
    workflow: str
    is_workflow: bool

    @property
    def place(self) -> str:
        """For people."""
        name = self.function.name
        return f"in workflow {name}" if self.is_workflow else f"in {name}, which workflow {self.workflow} uses"


def is_activity(function: Function, scope: Scope) -> bool:
    return bool(_decorators(function, scope) & _ACTIVITY)


def workflow_code(tree: ast.Module, scope: Scope) -> list[WorkflowCode]:
    """All workflows of the module, wherever in it they are, each followed by what it uses and no earlier one did."""
    plain = _plain_functions(tree, scope)
    found: dict[Function, WorkflowCode] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _decorators(node, scope) & _WORKFLOW:
            found[node] = WorkflowCode(node, node.name, is_workflow=True)
    for workflow in list(found.values()):
        waiting = deque([workflow.function])
        while waiting:
            for name in _names_used(waiting.popleft(), scope):
                for function in plain.get(name, ()):
                    if function not in found:
                        found[function] = WorkflowCode(function, workflow.workflow, is_workflow=False)
                        waiting.append(function)
    return list(found.values())


def _plain_functions(tree: ast.Module, scope: Scope) -> dict[str, list[Function]]:
    """By the name that stands for them in the module: of a class, what runs when it is called."""
    found: dict[str, list[Function]] = {}
    for node in inside(tree.body):
        if isinstance(node, ast.ClassDef):
            found[node.name] = [
                one for one in node.body if isinstance(one, ast.FunctionDef) and one.name in _RUN_WITH_THE_CLASS
            ]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = _decorators(node, scope)
            found[node.name] = [] if decorators & (_ACTIVITY | _WORKFLOW) else [node]
    return found


def _names_used(function: Function, scope: Scope) -> Iterator[str]:
    """Those of the module that it calls or hands on: either way they run here."""
    own = scope_of_function(function, scope).bound
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own:
                yield node.id


def _decorators(function: Function, scope: Scope) -> set[str | None]:
    return {scope.dotted(one.func if isinstance(one, ast.Call) else one) for one in function.decorator_list}
