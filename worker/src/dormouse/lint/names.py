"""What does a name stand for, at a place in a module? Imports, functions, what shadows them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Scope:
    """What is bound in one function, or in the module, and in what is around it.

    Attributes:
        bound: what an imported name is called where it comes from; None for anything that is not imported.
        outer: the scope around this one.
    """

    bound: Mapping[str, str | None]
    outer: Scope | None = None

    def home_of(self, name: str) -> str | None:
        """What this name is called where it comes from; None when it is the module's own, or a variable."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return scope.bound[name]
            scope = scope.outer
        return f"builtins.{name}" if hasattr(builtins, name) else None

    def is_of_module(self, name: str) -> bool:
        """Whether it is bound in the module and nowhere nearer."""
        scope = self
        while scope.outer is not None:
            if name in scope.bound:
                return False
            scope = scope.outer
        return name in scope.bound

    def dotted(self, node: ast.expr) -> str | None:
        """What an expression such as `dt.now` is called where it comes from; `a()` is what calling `a` gives."""
        if isinstance(node, ast.Name):
            return self.home_of(node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Call):
            base = self.dotted(node.func)
            return None if base is None else f"{base}()"
        return None


def scope_of_module(tree: ast.Module) -> Scope:
    return Scope(_bound(tree.body))


def scope_of_function(function: Function | ast.Lambda, outer: Scope) -> Scope:
    body: Sequence[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else function.body
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bound = {argument.arg: None for argument in named if argument is not None}
    return Scope(bound | _bound(body), outer)


def inside(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """These nodes and all below them, but nothing of what is inside other functions and classes."""
    for node in nodes:
        yield node
        if not isinstance(node, _SCOPES):
            yield from inside(list(ast.iter_child_nodes(node)))


def _bound(body: Sequence[ast.AST]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    of_module: set[str] = set()
    for node in inside(body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = None if node.level else f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Global):
            of_module.update(node.names)
        else:
            found |= dict.fromkeys(_names_bound_by(node))
    return {name: home for name, home in found.items() if name not in of_module}


def _names_bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
        return [node.name]
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest is not None else []
