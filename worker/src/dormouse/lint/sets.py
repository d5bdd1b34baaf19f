"""Which expressions are sets, whose order differs from process to process?"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dormouse.lint.names import Function, Scope, inside

_SET_TYPES = ("set", "frozenset", "Set", "AbstractSet", "MutableSet")
_ORDERED_ALIKE = ("int", "bool", "float")
_METHODS = ("union", "intersection", "difference", "symmetric_difference", "copy")


def set_variables(function: Function, scope: Scope) -> frozenset[str]:
    """The variables of a function that are nothing but sets."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    known = {one.arg for one in arguments if one.annotation is not None and _is_set_type(one.annotation)}
    other = {one.arg for one in arguments} - known
    for node in inside(function.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            (known if _is_set_type(node.annotation) else other).add(node.target.id)
        elif isinstance(node, ast.Assign):
            names = {name for target in node.targets for name in _names(target)}
            single = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
            (known if single and is_set(node.value, scope, frozenset(known)) else other).update(names)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            other.update(_names(node.target))
    return frozenset(known - other)


def is_set(node: ast.expr, scope: Scope, variables: frozenset[str]) -> bool:
    """Whether this is a set of more than numbers, as far as can be seen."""
    if isinstance(node, ast.Set):
        return not all(isinstance(one, ast.Constant) and isinstance(one.value, int | float) for one in node.elts)
    if isinstance(node, ast.SetComp):
        return True
    if isinstance(node, ast.Name):
        return node.id in variables
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor) and any(
            is_set(side, scope, variables) for side in (node.left, node.right)
        )
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            return is_set(node.func.value, scope, variables)
        return scope.dotted(node.func) in ("builtins.set", "builtins.frozenset")
    return False


def _is_set_type(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Subscript):
        of = annotation.slice
        return _is_set_type(annotation.value) and not (isinstance(of, ast.Name) and of.id in _ORDERED_ALIKE)
    name = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", None)
    return name in _SET_TYPES


def _names(target: ast.AST) -> Iterable[str]:
    return (node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
