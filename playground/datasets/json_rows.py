"""JSON in all its layouts as rows: a list, lines, values one behind another, a wrapper, columns.

A broken item is named by its line and skipped; reading resumes at the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from playground.datasets.column_names import is_query_name
from playground.datasets.records import RowProblem
from playground.datasets.talks import is_talk

_BLANK = re.compile(r"[\s,\x1e]*")
_BETWEEN = re.compile(r"[}\]\"]\s*,\s*(?=[{\"\[])")
_DECODER = json.JSONDecoder()
_MOST_BROKEN = 50
"""Broken items of a text that are looked at to its end; each costs the whole text."""


def json_rows(text: str) -> Iterator[tuple[int, object]]:
    """Each row of a text that starts like JSON, or a ``RowProblem``, with its item number or line from 1."""
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        text = re.sub("\r\n?", "\n", text)  # none of them stands inside a value
        whole = text.lstrip()
        if whole[:1] == "[" and not isinstance(_value(whole.split("\n", 1)[0].strip())[0], list):
            yield from _items(text, text.index("[") + 1)
        else:
            yield from _lines(text)
        return
    yield from enumerate(_unwrapped(loaded), 1)


def _unwrapped(value: object) -> list[object]:
    """The rows in a JSON value: a list, the list in a wrapper, columns of equal length, or one row."""
    if isinstance(value, list):
        return [value] if is_talk(value) else [_viewer_row(item) for item in value]
    if not isinstance(value, Mapping) or _is_row(value):
        return [value]
    lists = [item for item in value.values() if isinstance(item, list)]
    if lists and len(lists) == len(value) and any(map(is_query_name, map(str, value))):
        length = max(map(len, lists))
        if all(len(item) == length for item in lists) and not any(isinstance(x, Mapping) for x in lists[0]):
            return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    held = [item for item in lists if item and all(isinstance(row, (Mapping, str)) for row in item)]
    if len(held) == 1 and any(isinstance(row, Mapping) for row in held[0]):
        return [_viewer_row(item) for item in held[0]]
    if value and all(isinstance(item, Mapping) and _is_row(item) for item in value.values()):
        return [{"id": key, **item} for key, item in value.items() if isinstance(item, Mapping)]
    return [value]


def _is_row(value: Mapping[object, object]) -> bool:
    """Whether an object is a row and not a wrapper: a question that is a text, or a list of messages."""
    for key, item in value.items():
        if not isinstance(key, str) or not is_query_name(key):
            continue
        if isinstance(item, str) or key in ("turns", "messages", "conversations", "conversation"):
            return True
        if isinstance(item, list) and any(isinstance(one, Mapping) and "role" in one for one in item):
            return True
    return False


def _viewer_row(item: object) -> object:
    """The row of the Hub's dataset viewer, which wraps it with its index."""
    if isinstance(item, Mapping) and "row_idx" in item and isinstance(item.get("row"), Mapping):
        return item["row"]
    return item


def _lines(text: str) -> Iterator[tuple[int, object]]:
    """JSON lines; values of several lines one behind another where no line is a value by itself."""
    lines = text.split("\n")
    filled = [(place, line.strip()) for place, line in enumerate(lines, 1) if line.strip().strip("\x1e")]
    values = [(place, *_value(line)) for place, line in filled]
    whole = [error is None and isinstance(value, (Mapping, list)) for _, value, error in values]
    if not whole[0] and sum(whole) * 2 < len(whole):
        yield from _items(text, 0)
        return
    for place, value, error in values:
        yield place, value if error is None else RowProblem(place, error)


def _value(line: str) -> tuple[object, str | None]:
    try:
        return json.loads(line.lstrip("\x1e").rstrip(",").rstrip()), None
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {_said(error)}"


def _items(text: str, at: int) -> Iterator[tuple[int, object]]:
    """JSON values one behind another; behind a broken one it goes on where the next seems to start."""
    place, counted = 1, 0
    indent: str | None = None
    broken = 0
    while True:
        at = _end(_BLANK.match(text, at))
        if at >= len(text) or (text[at] == "]" and not text[at + 1 :].strip()):
            return
        place += text.count("\n", counted, at)
        counted = at
        if indent is None:
            line = text[text.rfind("\n", 0, at) + 1 : at]
            indent = line if not line.strip() else ""
        following = _next(text, at, indent)
        try:
            value, at = _decoded(text, at, following, whole=broken < _MOST_BROKEN)
        except (ValueError, RecursionError) as error:
            broken += 1
            yield place, RowProblem(place, f"not JSON: {_said(error)}")
            if following is None:
                return
            at = following
            continue
        yield place, _viewer_row(value)


def _decoded(text: str, at: int, following: int | None, *, whole: bool) -> tuple[object, int]:
    """The value at a place, and where it ends.

    The library counts lines up to an error from the start of what it is given; so it is given the text up to
    where the next item seems to start, and the whole text only where that is not enough.
    """
    if following is not None:
        try:
            value, length = _DECODER.raw_decode(text[at:following])
        except (ValueError, RecursionError):
            if not whole:
                raise
        else:
            return value, at + length
    return _DECODER.raw_decode(text, at)


def _next(text: str, at: int, indent: str) -> int | None:
    """Where the item behind a broken one seems to start."""
    line = re.compile(rf"\n{re.escape(indent)}(?=[{{\[\"])").search(text, at)
    stop = text.find("\n", at)
    inline = _BETWEEN.search(text, at, len(text) if stop < 0 else stop)
    ends = [match.end() for match in (line, inline) if match]
    return min(ends) if ends else None


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno} of it)"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
