"""Text that remembers, character by character, which message it came from, whatever a template does to it.

A chat template may trim, split, escape, repeat or reorder a message. Each ``TracedText`` therefore carries a
second text of the same length, its origins: one character for each of its own, ``TEMPLATE`` for what the
template wrote and ``chr(FIRST + i)`` for what came from message ``i``. Whatever cuts or joins the text cuts
or joins the origins alike. Where an operation has no exact rule here, the whole result counts as a person's
text: it may lose a control token, and it never gains one.

Knows nothing of Jinja or of models. It is loaded by ``template_child``, which runs without this package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

TEMPLATE = "\0"
FIRST = 0xF0000
UNKNOWN = "\U0010fffd"
"""The origin of a person's text when it is no longer known which message it was."""
MAX_ORIGINS = 0x10000
_RUN = re.compile(r"(.)\1*", re.DOTALL)


class TracedText(str):
    """A text and, for each of its characters, where it came from.

    Args:
        text: The text.
        origins: As many characters as ``text`` has; without it all of the text is of unknown origin.
    """

    __slots__ = ("_origins",)
    _origins: str

    def __new__(cls, text: str = "", origins: str | None = None) -> TracedText:
        """A text with its origins, which must be of the same length."""
        self = super().__new__(cls, text)
        self._origins = UNKNOWN * len(self) if origins is None else origins
        assert len(self._origins) == len(self)
        return self

    def __str__(self) -> TracedText:
        return self

    def __repr__(self) -> str:
        return str.__repr__(plain(self))

    def __add__(self, other: str, /) -> TracedText:
        if not isinstance(other, str):
            return NotImplemented
        return TracedText(plain(self) + plain(other), self._origins + origins_of(other))

    def __radd__(self, other: str, /) -> TracedText:
        if not isinstance(other, str):
            return NotImplemented
        return TracedText(plain(other) + plain(self), origins_of(other) + self._origins)

    def __mul__(self, count: SupportsIndex, /) -> TracedText:
        return TracedText(plain(self) * count, self._origins * count)

    __rmul__ = __mul__

    def __getitem__(self, key: SupportsIndex | slice, /) -> TracedText:
        return TracedText(str.__getitem__(self, key), self._origins[key])

    def __iter__(self) -> Iterator[TracedText]:
        for character, origin in zip(plain(self), self._origins, strict=True):
            yield TracedText(character, origin)

    def __mod__(self, values: Any, /) -> TracedText:
        return self._unknown(plain(self) % values)

    def __rmod__(self, pattern: str, /) -> TracedText:
        return joined([traced_result(str.__mod__, pattern, self)])

    def lstrip(self, chars: str | None = None, /) -> TracedText:
        """Without leading characters."""
        return self[len(self) - len(str.lstrip(self, chars)) :]

    def rstrip(self, chars: str | None = None, /) -> TracedText:
        """Without trailing characters."""
        return self[: len(str.rstrip(self, chars))]

    def strip(self, chars: str | None = None, /) -> TracedText:
        """Without leading and trailing characters."""
        return self.rstrip(chars).lstrip(chars)

    def removeprefix(self, prefix: str, /) -> TracedText:
        """Without that beginning."""
        return self[len(prefix) :] if self.startswith(prefix) else self

    def removesuffix(self, suffix: str, /) -> TracedText:
        """Without that end."""
        return self[: len(self) - len(suffix)] if suffix and self.endswith(suffix) else self

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """The parts between separators."""
        return self._found_in_order(str.split(self, sep, maxsplit), 0 if sep is None else len(sep))

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """The parts between separators, counted from the end."""
        return self._found_in_order(str.rsplit(self, sep, maxsplit), 0 if sep is None else len(sep))

    def _found_in_order(self, parts: Sequence[str], gap: int) -> list[str]:
        """Parts of this text, each the first match at least ``gap`` characters behind the one before it."""
        found: list[str] = []
        at = 0
        for part in parts:
            at = str.find(self, part, at)
            found.append(self[at : at + len(part)])
            at += len(part) + gap
        return found

    def splitlines(self, keepends: bool = False) -> list[str]:
        """The lines."""
        lines: list[str] = []
        at = 0
        for whole, line in zip(str.splitlines(self, True), str.splitlines(self, keepends), strict=True):
            lines.append(self[at : at + len(line)])
            at += len(whole)
        return lines

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        """What is before the first separator, it, and what is behind it."""
        at = str.find(self, sep)
        return (self, "", "") if at < 0 else (self[:at], self[at : at + len(sep)], self[at + len(sep) :])

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        """What is before the last separator, it, and what is behind it."""
        at = str.rfind(self, sep)
        return ("", "", self) if at < 0 else (self[:at], self[at : at + len(sep)], self[at + len(sep) :])

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> TracedText:
        """With ``new`` for ``old``; what is put in keeps its own origins."""
        left, at = count.__index__(), 0
        parts: list[str] = []
        while left:
            found = str.find(self, old, at)
            if found < 0 or (not old and at > len(self)):
                break
            parts += [self[at:found], new] if old else [new, self[at : at + 1]]
            at = found + (len(old) or 1)
            left -= 1
        return joined([*parts, self[at:]])

    def join(self, parts: Iterable[str], /) -> TracedText:
        """The parts with this text between them."""
        woven: list[str] = []
        for part in parts:
            if not isinstance(part, str):
                raise TypeError(f"sequence item: expected str instance, {type(part).__name__} found")
            woven += [self, part]
        return joined(woven[1:])

    def upper(self) -> TracedText:
        """In upper case."""
        return self._each(str.upper)

    def lower(self) -> TracedText:
        """In lower case."""
        return self._each(str.lower)

    def casefold(self) -> TracedText:
        """Folded for comparison."""
        return self._each(str.casefold)

    def swapcase(self) -> TracedText:
        """With upper and lower case exchanged."""
        return self._each(str.swapcase)

    def title(self) -> TracedText:
        """With each word's first letter in upper case."""
        return self._each(str.title)

    def capitalize(self) -> TracedText:
        """With the first letter in upper case and the others in lower case."""
        return self._each(str.capitalize)

    def _each(self, change: Callable[[str], str]) -> TracedText:
        """A change that works on one character at a time, most of which stay one character."""
        changed = change(plain(self))
        if len(changed) == len(self):
            return TracedText(changed, self._origins)
        origins = "".join(o * len(change(c)) for c, o in zip(plain(self), self._origins, strict=True))
        return TracedText(changed, origins) if len(origins) == len(changed) else self._unknown(changed)

    def ljust(self, width: SupportsIndex, fill: str = " ", /) -> TracedText:
        """With blanks behind it."""
        return self + plain("").ljust(max(0, width.__index__() - len(self)), plain(fill))

    def rjust(self, width: SupportsIndex, fill: str = " ", /) -> TracedText:
        """With blanks in front of it."""
        return plain("").rjust(max(0, width.__index__() - len(self)), plain(fill)) + self

    def center(self, width: SupportsIndex, fill: str = " ", /) -> TracedText:
        """With blanks on both sides."""
        return self._unknown(str.center(self, width, fill))

    def expandtabs(self, tabsize: SupportsIndex = 8) -> TracedText:
        """With blanks for tabs."""
        return self._unknown(str.expandtabs(self, tabsize))

    def zfill(self, width: SupportsIndex, /) -> TracedText:
        """With zeros in front of it."""
        return self._unknown(str.zfill(self, width))

    def translate(self, table: Any, /) -> TracedText:
        """With characters exchanged by a table."""
        return self._unknown(str.translate(self, table))

    def format(self, *values: object, **named: object) -> TracedText:
        """A person's text as a pattern."""
        return self._unknown(plain(self).format(*values, **named))

    def format_map(self, values: Any, /) -> TracedText:
        """A person's text as a pattern."""
        return self._unknown(plain(self).format_map(values))

    def _unknown(self, text: str) -> TracedText:
        return TracedText(plain(text), (first_origin(self) or TEMPLATE) * len(text))


def plain(text: str) -> str:
    """The text alone, as an ordinary string."""
    return str.__str__(text)


def origins_of(text: str) -> str:
    """The origins of a text; what is no traced text is the template's."""
    return text._origins if isinstance(text, TracedText) else TEMPLATE * len(text)


def traced(parts: Iterable[tuple[str, int]]) -> TracedText:
    """A text put together of parts, each with the number of its origin.

    Raises:
        ValueError: There are more origins than can be told apart.
    """
    texts: list[str] = []
    origins: list[str] = []
    for text, origin in parts:
        if not 0 <= origin < MAX_ORIGINS:
            raise ValueError(f"a conversation has at most {MAX_ORIGINS:,} messages")
        texts.append(text)
        origins.append(chr(FIRST + origin) * len(text))
    return TracedText("".join(texts), "".join(origins))


def joined(parts: Iterable[str]) -> TracedText:
    """Texts one behind the other, with their origins."""
    kept = list(parts)
    return TracedText("".join(map(plain, kept)), "".join(map(origins_of, kept)))


def runs(text: str) -> list[tuple[int, int | None]]:
    """The text's origins as ``(characters, message)``: None for the template, -1 if it is not known."""
    found: list[tuple[int, int | None]] = []
    for run in _RUN.finditer(origins_of(text)):
        origin = run[1]
        number = None if origin == TEMPLATE else -1 if origin == UNKNOWN else ord(origin) - FIRST
        found.append((run.end() - run.start(), number))
    return found


def first_origin(*values: object) -> str | None:
    """The origin of the first character of a person's text in any of the values; None if there is none.

    Bytes count as a person's: only messages are ever encoded.
    """
    for value in values:
        if isinstance(value, TracedText):
            for origin in value._origins:
                if origin != TEMPLATE:
                    return origin
        elif isinstance(value, Mapping):
            found = first_origin(*value.keys(), *value.values())
            if found:
                return found
        elif isinstance(value, (bytes, bytearray)):
            return UNKNOWN
        elif isinstance(value, (list, tuple, set, frozenset)):
            found = first_origin(*value)
            if found:
                return found
    return None


def marked(text: TracedText) -> str:
    """The text with each character of a person's replaced by its origin's own character."""
    return "".join(c if o == TEMPLATE else o for c, o in zip(plain(text), origins_of(text), strict=True))


def _each(value: Any, change: Callable[[TracedText], str]) -> Any:
    """The value with its traced texts changed to ordinary ones, also inside lists and mappings."""
    if isinstance(value, TracedText):
        return change(value)
    if isinstance(value, (bytes, bytearray)) and change is marked:
        return bytes(len(value))
    if isinstance(value, dict):
        return {_each(key, change): _each(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)([_each(item, change) for item in value])
    return value


def traced_result(function: Callable[..., Any], *values: Any, beside: object = None, **named: Any) -> Any:
    """What a function of ordinary texts gives for traced ones, with its origins.

    The function is given ordinary texts, since it could lose the origins of a part of a traced one on its
    way. It is called again with marks in place of every person's text. Where the two results are of the same
    length and differ only by marks, these tell the origins. Otherwise all of it is a person's.

    Args:
        function: Has no effect besides its result.
        *values: Its arguments.
        **named: Its named arguments.
        beside: A further value that a person's text may have come from.
    """
    origin = first_origin(values, named, beside)
    if origin is None:
        return function(*values, **named)
    result = function(*_each(values, plain), **_each(named, plain))
    if not isinstance(result, str):
        return result
    try:
        shown = function(*_each(values, marked), **_each(named, marked))
    except Exception:  # noqa: BLE001  (a mark may be refused where the text was not)
        shown = None
    text = plain(result)
    if beside is None and isinstance(shown, str) and len(shown) == len(text):
        origins = [
            s if ord(s) >= FIRST else TEMPLATE if s == t else origin
            for s, t in zip(plain(shown), text, strict=True)
        ]
        return TracedText(text, "".join(origins))
    return TracedText(text, origin * len(text))


def traced_json(value: Any, **options: Any) -> str:
    """``json.dumps``, with the origins of what it writes."""
    written = json.dumps(value, **options)
    origin = first_origin(value)
    if origin is None:
        return written
    texts: list[TracedText] = []
    shape = json.dumps(_placeheld(value, texts), **options)
    parts: list[str] = []
    ascii_only = bool(options.get("ensure_ascii", True))
    for number, piece in enumerate(shape.split(_HELD)):
        parts.append(piece)
        if number < len(texts):
            parts.append(_escaped(texts[number], ascii_only))
    whole = joined(parts)
    return whole if plain(whole) == written else TracedText(written, origin * len(written))


_HELD = "@@held-by-origin@@"


def _placeheld(value: Any, texts: list[TracedText]) -> Any:
    if isinstance(value, TracedText):
        texts.append(value)
        return _HELD
    if isinstance(value, Mapping):
        return {_placeheld(key, texts): _placeheld(item, texts) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_placeheld(item, texts) for item in value]
    return value


def _escaped(text: TracedText, ascii_only: bool) -> TracedText:
    """The text between the quotation marks of its JSON."""
    pieces = [
        (json.dumps(character, ensure_ascii=ascii_only)[1:-1], origin)
        for character, origin in zip(plain(text), origins_of(text), strict=True)
    ]
    return TracedText("".join(p for p, _ in pieces), "".join(o * len(p) for p, o in pieces))
