"""The named arguments that a chat template reads, found in its source: ``enable_thinking`` and others.

Arguments that hold more than one value, such as lists of tools, are not options. Loaded by ``template_child``
alone; nothing of the template runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, meta, nodes

# What every render is given, or what no person writes by hand.
_GIVEN = frozenset((
    "add_generation_prompt", "available_tools", "builtin_tools", "citations", "controls",
    "custom_tools", "documents", "image_token", "message", "messages", "raise_exception",
    "strftime_now", "tool_definitions", "tools",
))  # fmt: skip
# What publishers document where a template only writes the value down (OpenAI's gpt-oss model card).
_USUAL = {"reasoning_effort": ("low", "medium", "high")}
_FEW_VALUES = frozenset({"default", "d", "lower", "upper", "trim", "string", "int", "float", "capitalize"})
_VALUE_TESTS = frozenset({"defined", "undefined", "none", "true", "false", "boolean", "string", "number"})


@dataclass(slots=True)
class _Use:
    """What is seen of one name."""

    is_structure: bool = False
    is_flag: bool = False
    is_condition: bool = False
    choices: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    default: Any = None

    def add(self, value: Any) -> None:
        """A value that it is compared with or replaced by."""
        if isinstance(value, bool):
            self.is_flag = True
        elif isinstance(value, str):
            if value and value not in self.choices:
                self.choices.append(value)
        elif isinstance(value, (int, float)):
            self.numbers.append(value)

    def kind(self) -> str:
        """``flag``, ``number`` or ``text``."""
        if self.is_flag and not self.choices:
            return "flag"
        if self.choices:
            return "text"
        if self.numbers:
            return "number"
        return "flag" if self.is_condition else "text"


def inspected(environment: Environment, source: str) -> list[dict[str, Any]]:
    """The options of a template as ``{"name", "kind", "choices", "default"}``, in the order it reads them.

    ``kind`` is ``flag``, ``number`` or ``text``; ``choices`` are values that the template knows; ``default``
    is what it takes where nothing is given, or None where that is not written as a plain value.

    Raises:
        jinja2.TemplateSyntaxError: It cannot be parsed.
    """
    # What looks for names also folds constants of the tree, so it gets a tree of its own.
    names = meta.find_undeclared_variables(environment.parse(source)) - _GIVEN - environment.globals.keys()
    tree = environment.parse(source)
    first: dict[str, str] = {}
    for node in _in_order(tree):
        first.setdefault(node.name, node.ctx)
    # What a template sets before it reads it is its own. Texts of special tokens are given to every render.
    order = [name for name, how in first.items() if how == "load" and name in names and "_token" not in name]
    uses = {name: _Use() for name in order}
    _look(tree, uses)
    for name, values in _USUAL.items():
        if name in uses:
            uses[name].choices += [value for value in values if value not in uses[name].choices]
    return [
        {
            "name": name,
            "kind": uses[name].kind(),
            "choices": uses[name].choices,
            "default": uses[name].default,
        }
        for name in order
        if not uses[name].is_structure
    ]


def _look(tree: nodes.Node, uses: dict[str, _Use]) -> None:
    conditions = {n.test.name for n in tree.find_all(nodes.If) if isinstance(n.test, nodes.Name)}
    conditions |= {n.node.name for n in tree.find_all(nodes.Not) if isinstance(n.node, nodes.Name)}
    for node in _all(tree):
        match node:
            case nodes.For(iter=given):
                _structure(given, uses)
            case nodes.Getattr(node=given) | nodes.Getitem(node=given) | nodes.Call(node=given):
                _structure(given, uses)
            case nodes.Filter(node=given, name=filter_name, args=arguments):
                _filtered(given, filter_name, arguments, uses)
            case nodes.Test(node=nodes.Name(name=name), name=test) if name in uses:
                uses[name].is_flag |= test in ("true", "false", "boolean")
                uses[name].is_structure |= test not in _VALUE_TESTS and test not in (
                    "eq",
                    "ne",
                    "equalto",
                    "in",
                )
            case nodes.Compare(expr=left, ops=operands):
                _compared(left, operands, uses)
            case nodes.Or(left=nodes.Name(name=name), right=nodes.Const(value=value)) if name in uses:
                uses[name].add(value)
                uses[name].default = value
            case nodes.Assign(target=nodes.Name(name=own), node=nodes.Name(name=name)) if name in uses:
                uses[name].is_condition |= own in conditions
            case nodes.If(test=test_node):
                _condition(test_node, uses)
                _defaulted(node, uses)
            case nodes.CondExpr(test=test_node, expr1=first, expr2=second):
                _condition(test_node, uses)
                _either(test_node, first, second, uses)
            case nodes.Not(node=inner):
                _condition(inner, uses)
            case _:
                pass


def _all(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _all(child)


def _in_order(node: nodes.Node) -> Iterator[nodes.Name]:
    """Names in the order in which a render comes to them: a value before what it is assigned to."""
    if isinstance(node, nodes.Name):
        yield node
    elif isinstance(node, nodes.Assign):
        yield from _in_order(node.node)
        yield from _in_order(node.target)
    elif isinstance(node, nodes.For):
        yield from _in_order(node.iter)
        for child in (node.target, *([node.test] if node.test else ()), *node.body, *node.else_):
            yield from _in_order(child)
    else:
        for child in node.iter_child_nodes():
            yield from _in_order(child)


def _structure(node: nodes.Node, uses: dict[str, _Use]) -> None:
    if isinstance(node, nodes.Name) and node.name in uses:
        uses[node.name].is_structure = True


def _filtered(
    given: nodes.Node | None, name: str, arguments: list[nodes.Expr], uses: dict[str, _Use]
) -> None:
    if not isinstance(given, nodes.Name) or given.name not in uses:
        return
    use = uses[given.name]
    if name in ("default", "d"):
        if arguments and isinstance(arguments[0], nodes.Const):
            use.add(arguments[0].value)
            use.default = arguments[0].value
    elif name not in _FEW_VALUES:
        use.is_structure = True


def _compared(left: nodes.Expr, operands: list[nodes.Operand], uses: dict[str, _Use]) -> None:
    for operand in operands:
        pairs = ((left, operand.expr), (operand.expr, left))
        for one, other in pairs:
            while isinstance(one, nodes.Filter) and one.name in _FEW_VALUES and one.node is not None:
                one = one.node
            if not isinstance(one, nodes.Name) or one.name not in uses:
                continue
            if operand.op in ("in", "notin") and one is operand.expr:
                uses[one.name].is_structure = True
            values = other.items if isinstance(other, (nodes.List, nodes.Tuple)) else [other]
            for value in values:
                if isinstance(value, nodes.Const):
                    uses[one.name].add(value.value)


def _condition(test: nodes.Node, uses: dict[str, _Use]) -> None:
    """Names whose truth alone is asked for."""
    if isinstance(test, nodes.Name) and test.name in uses:
        uses[test.name].is_condition = True
    elif isinstance(test, (nodes.And, nodes.Or)):
        _condition(test.left, uses)
        _condition(test.right, uses)
    elif isinstance(test, nodes.Not):
        _condition(test.node, uses)


def _undefined_name(test: nodes.Node) -> str:
    """``NAME`` in ``NAME is not defined`` or ``not NAME is defined``; otherwise empty."""
    if isinstance(test, nodes.Not):
        inner = test.node
        if isinstance(inner, nodes.Test) and inner.name == "defined" and isinstance(inner.node, nodes.Name):
            return inner.node.name
    if isinstance(test, nodes.Test) and test.name == "undefined" and isinstance(test.node, nodes.Name):
        return test.node.name
    return ""


def _defaulted(node: nodes.If, uses: dict[str, _Use]) -> None:
    """``{% if X is not defined %}{% set X = value %}``, also with other conditions beside it."""
    names = {_undefined_name(test) for test in _all(node.test)}
    names |= {
        t.node.name for t in _all(node.test) if isinstance(t, nodes.Not) and isinstance(t.node, nodes.Name)
    }
    for statement in node.body:
        if isinstance(statement, nodes.Assign) and isinstance(statement.target, nodes.Name):
            name = statement.target.name
            if name in uses and name in names and isinstance(statement.node, nodes.Const):
                uses[name].add(statement.node.value)
                uses[name].default = statement.node.value


def _either(test: nodes.Expr, first: nodes.Expr, second: nodes.Expr | None, uses: dict[str, _Use]) -> None:
    """``X if X is defined else value``."""
    if not isinstance(first, nodes.Name) or first.name not in uses or not isinstance(second, nodes.Const):
        return
    tested = {
        node.node.name
        for node in _all(test)
        if isinstance(node, nodes.Test) and node.name == "defined" and isinstance(node.node, nodes.Name)
    }
    if first.name in tested:
        uses[first.name].add(second.value)
        uses[first.name].default = second.value
