"""The part of Go's text/template that Ollama's templates use, and the turn pattern that one writes.

Source: Go's ``text/template`` and ollama/ollama ``template/template.go``: a template over ``.Messages`` is
executed once; an older one over ``.System``, ``.Prompt`` and ``.Response`` once for each turn, and the last
time it ends where the response starts. Nothing is called but the few comparisons below; steps are counted.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from playground.imports.result import PresetImportError

MAX_STEPS = 20_000
_ACTION = re.compile(
    r'\{\{(-(?=\s))?\s*((?:"(?:\\.|[^"\\])*"|`[^`]*`|/\*.*?\*/|[^"`}]|\}(?!\}))*?)\s*((?<=\s)-)?\}\}',
    re.DOTALL,
)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|:=|=|\||\(|\)|,|\$?[\w.$]+|-?\d+')
_ESCAPE = re.compile(r'\\(n|t|r|"|\\|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})')
_ENDS = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(slots=True)
class _Node:
    """A text, an action, or a block with its branches."""

    kind: str
    text: str = ""
    body: list[_Node] = field(default_factory=list)
    other: list[_Node] = field(default_factory=list)


class _Stop(Exception):
    """The response of an open turn starts here: nothing behind it is written."""


class _Next(Exception):
    """The next item of a list, or with ``last`` none any more."""

    def __init__(self, *, last: bool) -> None:
        super().__init__()
        self.last = last


class GoTemplate:
    """A parsed template.

    Raises:
        PresetImportError: Something of the language that is not known here.
    """

    def __init__(self, source: str) -> None:
        self._nodes = _parse(source)
        self._over_messages = ".Messages" in source
        if not self._over_messages and ".Response" not in source:
            self._nodes.append(_Node("action", ".Response"))

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt for a conversation of (role, content); a last user message opens the answer."""
        system = "\n\n".join(content for role, content in messages if role == "system")
        if self._over_messages:
            listed = [{"Role": role, "Content": content} for role, content in messages]
            return self._run({"Messages": listed, "System": system, "Response": ""}, open_=False)
        talk = [message for message in messages if message[0] != "system"]
        written = ""
        for i in range(0, len(talk), 2):
            answer = talk[i + 1][1] if i + 1 < len(talk) else ""
            data = {
                "System": system if i == 0 else "",
                "Prompt": talk[i][1],
                "Response": answer,
                "First": i == 0,
            }
            written += self._run(data, open_=i + 1 >= len(talk))
        return written

    def _run(self, data: Mapping[str, object], *, open_: bool) -> str:
        run = _Run(open_)
        with contextlib.suppress(_Stop), contextlib.suppress(_Next):
            run.nodes(self._nodes, data, {"$": data})
        return "".join(run.written)


class _Run:
    def __init__(self, open_: bool) -> None:
        self.written: list[str] = []
        self._open = open_
        self._steps = 0

    def nodes(self, nodes: Sequence[_Node], dot: object, names: dict[str, object]) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise PresetImportError("The Go template takes too long.")
            if node.kind == "text":
                self.written.append(node.text)
            elif node.kind == "if" or node.kind == "with":
                value = _pipeline(node.text, dot, names)
                inner = value if node.kind == "with" and value else dot
                self.nodes(node.body if _true(value) else node.other, inner, names)
            elif node.kind == "range":
                self._range(node, dot, names)
            else:
                self._action(node.text, dot, names)

    def _range(self, node: _Node, dot: object, names: dict[str, object]) -> None:
        head, mark, rest = node.text.partition(":=")
        listed = _pipeline(rest if mark else head, dot, names)
        variables = [name.strip() for name in head.split(",")] if mark else []
        items = list(listed) if isinstance(listed, list) else []
        for index, item in enumerate(items):
            if len(variables) == 2:
                names |= {variables[0]: index, variables[1]: item}
            elif variables:
                names[variables[0]] = item
            try:
                self.nodes(node.body, item, names)
            except _Next as found:
                if found.last:
                    break
        if not items:
            self.nodes(node.other, dot, names)

    def _action(self, text: str, dot: object, names: dict[str, object]) -> None:
        if text in ("continue", "break"):
            raise _Next(last=text == "break")
        assigned = re.match(r"(\$\w+)\s*:?=\s*(.*)", text, re.DOTALL)
        if assigned:
            names[assigned[1]] = _pipeline(assigned[2], dot, names)
            return
        if self._open and re.fullmatch(r"\$?\.Response", text):
            raise _Stop
        value = _pipeline(text, dot, names)
        if value not in (None, False) or value is False:
            self.written.append("" if value is None else "false" if value is False else str(value))


def _parse(source: str) -> list[_Node]:
    root = _Node("root")
    stack: list[tuple[_Node, list[_Node]]] = [(root, root.body)]
    for kind, text in _pieces(source):
        into = stack[-1][1]
        word = text.split(None, 1)[0] if text.split() else ""
        if kind == "text":
            into.append(_Node("text", text))
        elif text.startswith("/*") or not text:
            continue
        elif word in ("if", "range", "with"):
            node = _Node(word, text[len(word) :].strip())
            into.append(node)
            stack.append((node, node.body))
        elif word == "else" and len(stack) > 1:
            node = stack[-1][0]
            more = text[4:].strip()
            stack[-1] = (node, node.other)
            if more.startswith(("if", "with")):
                word = "if" if more.startswith("if") else "with"
                inner = _Node(f"{word}", more[len(word) :].strip())
                node.other.append(inner)
                stack[-1] = (node, inner.body)
                stack[-1] = (inner, inner.body)
        elif word == "end":
            if len(stack) == 1:
                raise PresetImportError("The Go template has an {{ end }} too many.")
            stack.pop()
        elif word in ("define", "template", "block"):
            raise PresetImportError(f"The Go template uses '{word}', which is not read here.")
        else:
            into.append(_Node("action", text))
    if len(stack) > 1:
        raise PresetImportError("The Go template lacks an {{ end }}.")
    return root.body


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Texts and actions in order, with the white space gone that an action trims."""
    at = 0
    trim = False
    for match in _ACTION.finditer(source):
        text = source[at : match.start()]
        text = text.lstrip() if trim else text
        text = text.rstrip() if match[1] else text
        if text:
            yield "text", text
        yield "action", match[2].strip()
        at, trim = match.end(), bool(match[3])
    rest = source[at:].lstrip() if trim else source[at:]
    if "{{" in rest:
        raise PresetImportError("The Go template has an action that does not end.")
    if rest:
        yield "text", rest


def _pipeline(text: str, dot: object, names: Mapping[str, object]) -> object:
    tokens = _TOKEN.findall(text)
    value, rest = _expression(tokens, dot, names, None)
    while rest[:1] == ["|"]:
        value, rest = _expression(rest[1:], dot, names, [value])
    return value


def _expression(
    tokens: list[str], dot: object, names: Mapping[str, object], piped: list[object] | None
) -> tuple[object, list[str]]:
    """A command: a function and its operands, or one operand; and the tokens behind it."""
    if not tokens:
        raise PresetImportError("The Go template has an empty action.")
    operands: list[object] = []
    function = ""
    if re.fullmatch(r"[a-z]\w*", tokens[0]) and tokens[0] not in ("true", "false", "nil"):
        function, tokens = tokens[0], tokens[1:]
    while tokens and tokens[0] not in ("|", ")"):
        if tokens[0] == "(":
            value, tokens = _expression(tokens[1:], dot, names, None)
            tokens = tokens[1:]
        else:
            value, tokens = _operand(tokens[0], dot, names), tokens[1:]
        operands.append(value)
    operands += piped or []
    return (_call(function, operands) if function else (operands[0] if operands else None)), tokens


def _operand(token: str, dot: object, names: Mapping[str, object]) -> object:
    if token.startswith('"'):
        return _ESCAPE.sub(lambda m: _ENDS.get(m[1]) or chr(int(m[1][1:], 16)), token[1:-1])
    if token.startswith("`"):
        return token[1:-1]
    if token in ("true", "false"):
        return token == "true"
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    head, *path = token.split(".")
    value = names.get(head, names.get("$") if head == "$" else None) if head.startswith("$") else dot
    for key in path:
        if key:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _call(name: str, values: list[object]) -> object:
    match name, values:
        case "eq", [first, *others] if others:
            return first in others
        case "ne", [first, second]:
            return first != second
        case "not", [value]:
            return not _true(value)
        case "and", [_, *_]:
            return next((value for value in values if not _true(value)), values[-1])
        case "or", [_, *_]:
            return next((value for value in values if _true(value)), values[-1])
        case "len", [value]:
            return len(value) if isinstance(value, (list, str, Mapping)) else 0
        case (("lt" | "gt" | "le" | "ge"), [int(first), int(second)]):
            return {"lt": first < second, "gt": first > second, "le": first <= second, "ge": first >= second}[
                name
            ]
        case "slice", [list(value), int(start), *rest]:
            return value[start : rest[0] if rest and isinstance(rest[0], int) else None]
        case "index", [list(value), int(at)]:
            return value[at] if 0 <= at < len(value) else None
        case "printf", [str(form), *rest] if "%" not in form.replace("%s", ""):
            pieces = form.split("%s")
            return "".join(f"{p}{r}" for p, r in zip(pieces, [*rest, ""], strict=False))
        case (("print" | "json" | "currentDate"), _):
            return ""
    raise PresetImportError(f"The Go template calls '{name[:40]}', which is not read here.")


def _true(value: object) -> bool:
    return bool(value)
