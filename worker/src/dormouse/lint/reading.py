"""What does one function do that a workflow must not? Its syntax tree is walked once."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from dormouse.lint.names import Function, Scope, inside, scope_of_function
from dormouse.lint.reach import is_activity
from dormouse.lint.rules import HARMLESS_WITH_ARGUMENTS, METHODS, MODULE_STATE, RULES, SET_ORDER, Rule
from dormouse.lint.sets import is_set, set_variables

_IN_THAT_ORDER = {"builtins.list", "builtins.tuple", "builtins.enumerate", "builtins.iter", "builtins.zip"}
_IN_ANY_ORDER = {
    f"builtins.{name}" for name in ("sorted", "sum", "min", "max", "any", "all", "set", "frozenset", "len")
}
_CONTAINERS = {f"builtins.{name}" for name in ("list", "dict", "set")} | {
    f"collections.{name}" for name in ("defaultdict", "deque", "Counter", "OrderedDict")
}
_CHANGING = {
    "append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popleft", "popitem", "remove",
    "discard", "clear",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Something at a place; `what` is for people."""

    node: ast.expr | ast.stmt
    rule: Rule
    what: str


def module_containers(tree: ast.Module, scope: Scope) -> frozenset[str]:
    """The variables of a module that hold something which can be changed."""
    found: set[str] = set()
    for node in inside(tree.body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            literal = isinstance(node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
            made = isinstance(node.value, ast.Call) and scope.dotted(node.value.func) in _CONTAINERS
            if literal or made:
                found.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(found)


def read_function(function: Function, module: Scope, containers: frozenset[str]) -> list[Found]:
    """All that is found in it and in the functions inside of it, in the order of the lines."""
    reader = _Reader(module, containers)
    reader.read(function)
    return sorted(reader.found, key=lambda one: (one.node.lineno, one.node.col_offset))


class _Reader(ast.NodeVisitor):
    def __init__(self, module: Scope, containers: frozenset[str]) -> None:
        self.found: list[Found] = []
        self._scope = module
        self._sets: frozenset[str] = frozenset()
        self._containers = containers

    def read(self, function: Function) -> None:
        outer, outer_sets = self._scope, self._sets
        self._scope = scope_of_function(function, outer)
        own = frozenset(self._scope.bound)
        self._sets = (outer_sets - own) | set_variables(function, self._scope)
        for statement in function.body:
            self.visit(statement)
        self._scope, self._sets = outer, outer_sets

    def _find(self, node: ast.expr | ast.stmt, rule: Rule, what: str | None = None) -> None:
        self.found.append(Found(node, rule, what or ast.unparse(node)))

    # What is inside.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if not is_activity(node, self._scope):
            self.read(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        if not is_activity(node, self._scope):
            self.read(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        outer, self._scope = self._scope, scope_of_function(node, self._scope)
        self.visit(node.body)
        self._scope = outer

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._check_store(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for statement in node.body:
            self.visit(statement)

    # Names.

    def visit_Name(self, node: ast.Name) -> None:
        self._check_name(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in METHODS:
            self._find(node, METHODS[node.attr])
        elif not self._check_name(node):
            self.visit(node.value)

    def _check_name(self, node: ast.Name | ast.Attribute) -> bool:
        name = self._scope.dotted(node)
        rule = None if name is None or name in HARMLESS_WITH_ARGUMENTS else RULES.get(name)
        if rule is not None and isinstance(node.ctx, ast.Load):
            self._find(node, rule)
        return rule is not None

    def visit_Call(self, node: ast.Call) -> None:
        name = self._scope.dotted(node.func) or ""
        given = len(node.args) + len(node.keywords)
        if given < HARMLESS_WITH_ARGUMENTS.get(name, 0):
            self._find(node, RULES[name], ast.unparse(node.func))
        elif name == "builtins.isinstance":
            self.visit(node.args[0])
            return
        self._check_change(node)
        if name in _IN_THAT_ORDER or (isinstance(node.func, ast.Attribute) and node.func.attr == "join"):
            for argument in node.args:
                self._check_order(argument)
        self.visit(node.func)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if name in _IN_ANY_ORDER and isinstance(argument, ast.GeneratorExp | ast.ListComp):
                self._visit_parts(argument)
            else:
                self.visit(argument)

    # The order of sets.

    def visit_For(self, node: ast.For) -> None:
        self._check_order(node.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._check_order(node.value)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node)

    def _visit_comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> None:
        for generator in node.generators:
            self._check_order(generator.iter)
        self.generic_visit(node)

    def _visit_parts(self, node: ast.GeneratorExp | ast.ListComp) -> None:
        """Of what is put into some other order anyway; unless it waits, for then the order can be seen."""
        if any(isinstance(one, ast.Await) for one in ast.walk(node)):
            self._visit_comprehension(node)
        else:
            self.generic_visit(node)

    def _check_order(self, node: ast.expr) -> None:
        if is_set(node, self._scope, self._sets):
            self._find(node, SET_ORDER, f"the set {ast.unparse(node)}")

    # What is the module's.

    def visit_Global(self, node: ast.Global) -> None:
        self._find(node, MODULE_STATE, f"the variable {', '.join(node.names)} of the module")

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._check_store(target)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._check_store(node.target)
        self.generic_visit(node)

    def _check_change(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            self._check_container(node.func.value)

    def _check_store(self, target: ast.expr) -> None:
        if isinstance(target, ast.Subscript):
            self._check_container(target.value)

    def _check_container(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name) and node.id in self._containers and self._scope.is_of_module(node.id):
            self._find(node, MODULE_STATE, f"the variable {node.id} of the module")
