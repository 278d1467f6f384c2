"""Comments of a YAML file carried over into the text that replaces it.

A comment belongs to the key or list item that it stands beside or above. It goes where the same key stands in
the new text; a list item is found again by what it holds. Only comments of parts that are gone are lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from playground.presets.yaml_text import Comment, Key, YamlText, comments, read_yaml

Path = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A comment and what it belongs to; ``path`` is None at the start and the end of the file."""

    comment: Comment
    place: str  # "start", "above", "beside" or "end"
    path: Path | None


def keep_comments(old: str, new: str) -> tuple[str, tuple[Comment, ...]]:
    """The new text with the old one's comments, and the comments that have no place in it.

    Raises:
        PresetError: One of the texts is not YAML.
    """
    found = comments(old)
    if not found:
        return new, ()
    before, after = read_yaml(old, source="the file"), read_yaml(new, source="the file")
    lines = new.split("\n")
    above: dict[int, list[str]] = {}
    beside: dict[int, list[str]] = {}
    lost: list[Comment] = []
    for one in _anchored(old, found, before):
        if one.place in ("start", "end"):
            at = 0 if one.place == "start" else len(lines) - (lines[-1] == "")
            above.setdefault(at, []).append(one.comment.text)
            continue
        path = _same(one.path or (), before.value, after.value)
        place = after.places.get(path) if path is not None else None
        if place is None:
            lost.append(one.comment)
            continue
        line = place.line - 1
        if one.place == "beside":
            beside.setdefault(line, []).append(one.comment.text)
        else:
            indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
            above.setdefault(line, []).append(indent + one.comment.text)
    written: list[str] = []
    for number, content in enumerate(lines):
        written += above.get(number, [])
        written.append("  ".join([content, *beside.get(number, [])]))
    written += above.get(len(lines), [])
    return "\n".join(written), tuple(lost)


def _anchored(text: str, found: tuple[Comment, ...], read: YamlText) -> list[_Anchored]:
    lines = text.split("\n")
    order = sorted((p.line, p.column, i) for i, (path, p) in enumerate(read.places.items()) if path)
    paths = list(read.places)
    starts = [line for line, _, _ in order]
    made: list[_Anchored] = []
    for comment in found:
        behind = bisect_right(starts, comment.line)
        if not lines[comment.line - 1].lstrip("\ufeff \t").startswith("#"):
            # The last key or item that starts on its line, or before it.
            path = paths[order[behind - 1][2]] if behind else None
            made.append(_Anchored(comment, "beside", path))
        elif behind == 0 or behind == len(order):
            made.append(_Anchored(comment, "start" if behind == 0 else "end", None))
        else:
            made.append(_Anchored(comment, "above", paths[order[behind][2]]))
    return made


def _same(path: Path, old: object, new: object) -> Path | None:
    """The path in the new value of what stands at a path of the old one; None where it is gone."""
    found: list[Key] = []
    for key in path:
        if isinstance(key, str):
            if not isinstance(old, Mapping) or not isinstance(new, Mapping) or key not in new:
                return None
            old, new = old.get(key), new[key]
            found.append(key)
            continue
        if not isinstance(old, list) or not isinstance(new, list):
            return None
        at = _item(old, key, new)
        if at is None:
            return None
        old, new = old[key], new[at]
        found.append(at)
    return tuple(found)


def _item(old: list[object], index: int, new: list[object]) -> int | None:
    """Where a list item is now: the same value, else the same query or answer, else the same place."""
    item = old[index]
    if item in new:
        return new.index(item)
    if isinstance(item, Mapping):
        for key in ("query", "answer", "measure"):
            for at, other in enumerate(new):
                if key in item and isinstance(other, Mapping) and other.get(key) == item[key]:
                    return at
    return index if len(old) == len(new) and new[index] not in old else None
