"""YAML as presets use it: plain values with their places, read within limits, written always the same way.

Knows no preset. Reading goes over libyaml's events, so that depth, size and aliases are refused before
anything is built of them. Only what JSON also has is a value; dates, ``yes`` and ``on`` are text. Writing
gives the same bytes for the same value, and texts of several lines, or long ones, as blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from playground.errors import PresetError

MAX_DEPTH = 20
MAX_NODES = 60_000
LONG_TEXT = 88
"""A text of more characters than this is written as a block even where it has one line."""

Key = str | int
_PLAIN_TAGS = {f"tag:yaml.org,2002:{k}" for k in ("str", "int", "float", "bool", "null", "map", "seq")}
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_BLOCK = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class YamlText:
    """A file's value, and the place of every key and list item by its path."""

    value: object
    places: Mapping[tuple[Key, ...], Place]

    def place(self, path: tuple[Key, ...]) -> Place | None:
        """The place of a path, or of the nearest part of it that the file has."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.places.get(())


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment and the line that it stands on, counted from 1."""

    line: int
    text: str


def read_yaml(text: str, *, source: str) -> YamlText:
    """The value in a text.

    Args:
        text: One YAML document.
        source: What to call the file in an error.

    Raises:
        PresetError: Not YAML, an alias, a doubled key, too deep or too large; says line and column.
    """
    bad = _NOT_YAML.search(text)
    if bad is not None:
        raise PresetError(
            f"{source} is not valid YAML: {_place_of(text, bad.start())}: the character "
            f"U+{ord(bad.group()):04X} is not allowed; remove it."
        )
    reader = _Reader(text)
    try:
        value = reader.document()
    except _Refused as error:
        raise PresetError(f"{source} cannot be read as YAML: {error}.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{_clamped(text, mark.line, mark.column)}: " if mark else ""
        if "nesting depth" in str(error.problem):  # PyYAML's own limit, which it has since 6.0.4
            raise PresetError(
                f"{source} cannot be read as YAML: {where}nested more than {MAX_DEPTH} deep."
            ) from error
        raise PresetError(f"{source} is not valid YAML: {where}{error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        first = str(error).split("\n")[0]
        raise PresetError(f"{source} is not valid YAML: {first}.") from error
    except (ValueError, OverflowError, UnicodeError) as error:
        raise PresetError(f"{source} cannot be read as YAML: {type(error).__name__}.") from error
    return YamlText(value, reader.places)


def comments(text: str) -> tuple[Comment, ...]:
    """The comments of a text that is YAML, which are lost where its value is written anew.

    Raises:
        PresetError: It is not YAML.
    """
    lines = text.split("\n")
    if not any("#" in line for line in lines):
        return ()
    covered = [bytearray(len(line)) for line in lines]
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.ScalarEvent):
                _cover(lines, covered, event)
    except yaml.YAMLError as error:
        raise PresetError("The file is not valid YAML, so its comments cannot be told.") from error
    found: list[Comment] = []
    for number, (line, cover) in enumerate(zip(lines, covered, strict=True), 1):
        for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
            if not cover[match.start()]:
                found.append(Comment(number, line[match.start() :].rstrip("\r")))
                break
    return tuple(found)


def write_yaml(value: Mapping[str, object]) -> str:
    """The text of a mapping of plain values: keys in their order, no line ever folded."""
    return yaml.dump(dict(value), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31)


class _Refused(Exception):
    """YAML that no file of ours needs."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.places: dict[tuple[Key, ...], Place] = {(): Place(1, 1)}
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self._nodes = 0

    def document(self) -> object:
        value: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(f"{_start(event)}: a second document starts; keep one a file")
                value = self._node(next(self._events), ())
        return value

    def _node(self, event: yaml.Event, path: tuple[Key, ...]) -> object:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Refused(f"{_start(event)}: more than {MAX_NODES:,} values")
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(f"{_start(event)}: aliases (*{event.anchor}) are not allowed; write it out")
        if len(path) > MAX_DEPTH:
            raise _Refused(f"{_start(event)}: nested more than {MAX_DEPTH} deep")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag not in _PLAIN_TAGS:
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            raise _Refused(f"{_start(event)}: there is no constructor for the tag {shown[:60]}; remove it")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, yaml.ScalarEvent)
        return _scalar(event)

    def _mapping(self, path: tuple[Key, ...]) -> dict[Key, object]:
        found: dict[Key, object] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused(f"{_start(event)}: a key is a word, not a list or a mapping")
            self._nodes += 1
            key = event.value
            if key in found:
                raise _Refused(f"{_start(event)}: the key '{key[:60]}' stands twice")
            self.places[(*path, key)] = _start(event)
            found[key] = self._node(next(self._events), (*path, key))
        return found

    def _sequence(self, path: tuple[Key, ...]) -> list[object]:
        found: list[object] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(found))
            self.places[here] = _start(event)
            found.append(self._node(event, here))
        return found


def _scalar(event: yaml.ScalarEvent) -> object:
    text = event.value
    tag = event.tag
    if tag in (None, "!"):
        if not event.implicit[0]:
            return text
        tag = _RESOLVER.resolve(yaml.ScalarNode, text, event.implicit)  # type: ignore[no-untyped-call]
    kind = str(tag).rpartition(":")[2]
    try:
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "int" and re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)
        if kind == "float" and ":" not in text:
            return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError as error:
        raise _Refused(f"{_start(event)}: '{text[:40]}' is no number") from error
    return text


def _start(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _clamped(text: str, line: int, column: int) -> Place:
    """A mark of libyaml, which may lie on a line that the text does not have."""
    lines = text.split("\n")
    if line < len(lines):
        return Place(line + 1, column + 1)
    return Place(len(lines), len(lines[-1]) + 1)


def _place_of(text: str, index: int) -> Place:
    return Place(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _cover(lines: list[str], covered: list[bytearray], event: yaml.ScalarEvent) -> None:
    """Mark the characters of a scalar, which are no comment whatever they hold."""
    begin, stop = event.start_mark, event.end_mark
    if begin is None or stop is None:
        return
    first, last = begin.line, min(stop.line, len(lines) - 1)
    for number in range(first, last + 1):
        start = begin.column if number == first else 0
        end = stop.column if number == stop.line else len(lines[number])
        if number == first and event.style in ("|", ">"):
            header = re.match(r"[|>][-+0-9]*", lines[number][start:])
            end = start + (header.end() if header else 1)
        covered[number][start:end] = b"\1" * len(covered[number][start:end])


class _Dumper(yaml.SafeDumper):
    """Indents lists under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.split("\n")
    blocked = _NOT_IN_BLOCK.search(text) is None and not any(line.endswith(" ") for line in lines)
    long = len(lines) > 1 or len(text) > LONG_TEXT
    style = "|" if blocked and long and text.strip() else '"' if long or not blocked else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)
