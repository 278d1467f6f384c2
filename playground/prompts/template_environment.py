"""The Jinja environments that chat templates run in: transformers' conventions, once plain and once traced.

Source of the conventions (white space, ``generation``, ``raise_exception``, ``strftime_now``, ``tojson``,
what a namespace may hold): huggingface/transformers ``utils/chat_template_utils.py``. The traced environment
gives the same text as ``TracedText``: each operator, filter and call whose result would forget where a
person's text came from is replaced by one that does not. Loaded by ``template_child`` alone.
"""

from __future__ import annotations

import json
import operator
import re
import types
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import Template, TemplateError, Undefined, nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from playground.prompts.traced_text import (
    TracedText,
    first_origin,
    joined,
    origins_of,
    plain,
    traced_json,
    traced_result,
)

if TYPE_CHECKING:
    from jinja2.compiler import Frame
    from jinja2.parser import Parser
    from jinja2.runtime import Context, Macro

# These pass on what they are given, element by element, or make something that is no text.
_PASSING_FILTERS = frozenset((
    "abs", "attr", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float",
    "groupby", "int", "items", "last", "length", "list", "lower", "map", "max", "min", "random",
    "reject", "rejectattr", "reverse", "round", "select", "selectattr", "slice", "sort",
    "sum", "trim", "unique", "upper", "wordcount",
))  # fmt: skip


_AUTOESCAPE = re.compile(r"\{%[-+]?\s*autoescape\b")


class GenerationTag(Extension):
    """``{% generation %}``: what a model is trained on. It writes nothing of its own."""

    tags = {"generation"}  # noqa: RUF012  (as Jinja declares it)

    def parse(self, parser: Parser) -> nodes.Node:
        """The block, as a call of its body."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller: Macro) -> str:
        return str(caller())


class _CheckedNamespace(Namespace):
    """A namespace without underscored names, as transformers has it."""

    def __init__(*arguments: Any, **values: Any) -> None:
        self, rest = arguments[0], arguments[1:]
        kept = dict(*rest, **values)
        for name in kept:
            _check_name(name)
        Namespace.__init__(self, kept)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"the namespace attribute {name!r} begins with an underscore; rename it")


class RefusedError(TemplateError):
    """What a template says by ``raise_exception``."""


def _refuse(message: str) -> NoReturn:
    raise RefusedError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _traced_tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return traced_json(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


class Clock:
    """The time that templates see: one moment for all renders of a request."""

    def __init__(self) -> None:
        self._now = datetime.now()

    def stop_at_now(self) -> None:
        """Tell this moment from now on."""
        self._now = datetime.now()

    def strftime(self, pattern: str) -> str:
        """The moment, as the pattern says."""
        return self._now.strftime(pattern)


class PlainEnvironment(ImmutableSandboxedEnvironment):
    """What transformers renders chat templates in."""

    def __init__(self, clock: Clock) -> None:
        """With the conventions of transformers; ``strftime_now`` tells the time of ``clock``."""
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
        self.globals["raise_exception"] = _refuse
        self.globals["strftime_now"] = clock.strftime
        self.globals["namespace"] = _CheckedNamespace
        self.filters["tojson"] = _tojson


class _TracedCode(CodeGenerator):
    """Jinja's compiler, with a ``~`` that keeps origins."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


def _text(value: Any) -> str:
    """``str`` that keeps origins, also of texts inside lists and mappings.

    What other objects hold cannot be seen; as text they count as a person's.
    """
    if isinstance(value, str):
        return value
    if _is_open(value):
        return str(traced_result(str, value))
    return TracedText(str(value))


def _is_open(value: Any) -> bool:
    """Whether a value's text holds nothing but what can be seen in it."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_open, value))
    if isinstance(value, dict):
        return all(map(_is_open, value.keys())) and all(map(_is_open, value.values()))
    return value is None or isinstance(value, (str, int, float, Undefined))


def _concatenated(values: Iterable[Any]) -> str:
    parts = [_text(value) for value in values]
    return joined(parts) if first_origin(parts) else "".join(parts)


class TracedEnvironment(PlainEnvironment):
    """The same, where every text keeps its origins. Takes and gives ``TracedText``."""

    code_generator_class = _TracedCode
    concat = staticmethod(_concatenated)
    concatenated = staticmethod(_concatenated)
    intercepted_binops = frozenset("%")

    def __init__(self, clock: Clock) -> None:
        """With filters that keep origins."""
        super().__init__(clock)
        self.finalize = _text
        self.globals["strftime_now"] = lambda pattern: traced_result(clock.strftime, pattern)
        for name, function in self.filters.items():
            if name not in _PASSING_FILTERS:
                self.filters[name] = _tracing(function)
        self.filters |= {
            "tojson": _traced_tojson,
            "join": _join,
            "replace": _replace,
            "string": _text,
            "safe": _text,
            "escape": _escape,
            "e": _escape,
            "forceescape": _escape,
        }

    def call_binop(self, context: Context, operator_: str, left: Any, right: Any) -> Any:
        """``%``, of which a pattern is a text and of which a number is a number."""
        if isinstance(left, str) and first_origin(left, right):
            return traced_result(
                operator.mod, plain(left), right, beside=left if first_origin(left) else None
            )
        return super().call_binop(context, operator_, left, right)

    def call(self, context: Context, called: Any, *values: Any, **named: Any) -> Any:
        """A call from a template; methods of plain texts keep the origins of what they are given."""
        owner = getattr(called, "__self__", None)
        if isinstance(called, types.BuiltinMethodType) and type(owner) is str:
            # Whatever the arguments are: a generator does not show that it will give traced texts.
            called = getattr(TracedText(owner, origins_of(owner)), called.__name__)
        result = super().call(context, called, *values, **named)
        if type(result) is str and isinstance(called, (types.BuiltinMethodType, types.BuiltinFunctionType)):
            origin = first_origin(list(values), named)
            if origin is not None and not isinstance(owner, (dict, list, tuple)):
                return TracedText(result, origin * len(result))
            if isinstance(owner, (bytes, bytearray)):
                return TracedText(result)
        return result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``format`` in the sandbox, tracing what is put in."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        owner = value.__self__
        beside = owner if first_origin(owner) else None
        return lambda *values, **named: traced_result(wrapped, *values, beside=beside, **named)


def _tracing(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def filtered(*values: Any, **named: Any) -> Any:
        return traced_result(function, *values, **named)

    return filtered


def _join(values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's ``join`` with origins."""
    parts: list[Any] = list(values)
    if attribute is not None:
        parts = [_attribute(part, attribute) for part in parts]
    woven: list[Any] = []
    for part in parts:
        woven += [d, part]
    return _concatenated(woven[1:])


def _replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    """Jinja's ``replace`` with origins."""
    text, left = _text(text), -1 if count is None else count
    return TracedText(text, origins_of(text)).replace(_text(old), _text(new), left)


def _attribute(value: Any, path: str | int) -> Any:
    for name in [path] if isinstance(path, int) else path.split("."):
        try:
            value = value[int(name) if isinstance(name, str) and name.isdigit() else name]
        except (TypeError, LookupError):
            value = ""
    return value


def _escape(value: Any) -> str:
    """Jinja's ``escape`` without the class that would escape what is added later."""
    from markupsafe import escape

    text = _text(value)
    pieces = [
        (str(escape(character)), origin)
        for character, origin in zip(plain(text), origins_of(text), strict=True)
    ]
    return TracedText("".join(p for p, _ in pieces), "".join(o * len(p) for p, o in pieces))


class Compiler:
    """Templates by their source, compiled once for each environment."""

    def __init__(self) -> None:
        """Compile nothing yet."""
        self.clock = Clock()
        self.environment = PlainEnvironment(self.clock)
        self._plain = lru_cache(maxsize=32)(self.environment.from_string)
        self._traced = lru_cache(maxsize=32)(TracedEnvironment(self.clock).from_string)

    def compiled(self, source: str, *, traced: bool) -> Template:
        """The template, ready to render.

        Raises:
            jinja2.TemplateError: It cannot be parsed.
        """
        return self._traced(source) if traced else self._plain(source)

    @staticmethod
    def is_traceable(source: str) -> bool:
        """Whether origins are kept; escaping of all that is written goes past what keeps them."""
        return _AUTOESCAPE.search(source) is None
