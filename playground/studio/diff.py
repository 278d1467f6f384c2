"""Two presets side by side: what differs by part, and what that does to the rendered prompt."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from playground.chat.assistant import preset_renderer
from playground.presets.preset import Preset, PresetExample
from playground.prompts.templates import built_in
from playground.types import Message

Change = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class PartDiff:
    """One part that differs. ``lines`` are a unified diff without its header."""

    part: str
    change: Change
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresetDiff:
    """What differs between two presets; no parts and no prompt lines where nothing does."""

    parts: tuple[PartDiff, ...]
    prompt: tuple[str, ...]
    same_content: bool


def diff_presets(old: Preset, new: Preset, *, question: str = "Hello") -> PresetDiff:
    """The differences by part, and of the two prompts for the same question.

    Raises:
        TemplateError: One of them names a template that there is not.
    """
    parts = [*_fields(old, new), *_examples(old, new)]
    prompts = [preset_renderer(p).render([Message("user", question)]).text for p in (old, new)]
    return PresetDiff(tuple(parts), _lines(*prompts), old.content_hash() == new.content_hash())


def _fields(old: Preset, new: Preset) -> list[PartDiff]:
    before, after = _flat(old), _flat(new)
    return [_changed(key, value, after[key]) for key, value in before.items() if value != after[key]]


def _flat(preset: Preset) -> dict[str, str]:
    """Every field but the examples as text; a template by its patterns, whether built-in or its own."""
    fields = preset.model_dump(mode="json", by_alias=True, exclude={"examples", "sampling", "template"})
    template = preset.own_template() or built_in(str(preset.template))
    fields |= {f"template.{key}": value for key, value in asdict(template).items()}
    fields |= {f"sampling.{key}": value for key, value in preset.sampling.model_dump().items()}
    return {key: _written(value) for key, value in fields.items()}


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(map(_written, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _changed(part: str, old: str, new: str) -> PartDiff:
    change: Change = "changed" if old and new else "removed" if old else "added"
    return PartDiff(part, change, _lines(old, new))


def _examples(old: Preset, new: Preset) -> list[PartDiff]:
    """Examples matched by their text, so that a moved one is said to be moved and not rewritten."""
    before, after = [_text(e) for e in old.examples], [_text(e) for e in new.examples]
    moved = {
        (before.index(text), after.index(text))
        for text in set(before) & set(after)
        if before.count(text) == after.count(text) == 1
    }
    found: list[PartDiff] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        gone = [i for i in range(i1, i2) if not any(i == m for m, _ in moved)]
        come = [j for j in range(j1, j2) if not any(j == m for _, m in moved)]
        for i, j in zip(gone, come, strict=False):
            found.append(PartDiff(f"examples.{j}", "changed", _lines(before[i], after[j])))
        for i in gone[len(come) :]:
            found.append(PartDiff(f"examples.{i}", "removed", _lines(before[i], "")))
        for j in come[len(gone) :]:
            found.append(PartDiff(f"examples.{j}", "added", _lines("", after[j])))
    stayed = {(i1 + k, j1 + k) for i1, j1, n in matcher.get_matching_blocks() for k in range(n)}
    for i, j in sorted(moved - stayed):
        found.append(PartDiff(f"examples.{j}", "moved", (f"  example {i + 1} is now example {j + 1}",)))
    return found


def _text(example: PresetExample) -> str:
    switch = "" if example.enabled else "(off)\n"
    note = f"\n(note) {example.note}" if example.note else ""
    return f"{switch}{example.query}\n---\n{example.answer}{note}"


def _lines(old: str, new: str) -> tuple[str, ...]:
    lines: Sequence[str] = list(
        difflib.unified_diff(old.split("\n") if old else [], new.split("\n") if new else [], lineterm="", n=2)
    )
    return tuple(lines[2:])
