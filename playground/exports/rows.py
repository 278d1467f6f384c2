"""A preset's examples as rows of a data file: messages, ShareGPT, Alpaca."""

from __future__ import annotations

import json
from collections.abc import Callable

from playground.errors import PresetError
from playground.exports.result import Exported, lost_sampling, lost_words
from playground.presets.preset import Preset, PresetExample


def to_messages(preset: Preset) -> Exported:
    """JSON lines of ``{"messages": [...]}``, a line an example; the system text opens each."""

    def row(example: PresetExample) -> object:
        system = [{"role": "system", "content": preset.system}] if preset.system else []
        talk = [{"role": "user", "content": example.query}, {"role": "assistant", "content": example.answer}]
        return {"messages": [*system, *talk]}

    rows, lost = _rows(preset, row, system=True)
    return Exported("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), ".jsonl", lost)


def to_sharegpt(preset: Preset) -> Exported:
    """A JSON list of ShareGPT conversations, one an example."""

    def row(example: PresetExample) -> object:
        system = [{"from": "system", "value": preset.system}] if preset.system else []
        talk = [{"from": "human", "value": example.query}, {"from": "gpt", "value": example.answer}]
        return {"conversations": [*system, *talk]}

    rows, lost = _rows(preset, row, system=True)
    return Exported(json.dumps(rows, ensure_ascii=False, indent=2) + "\n", ".json", lost)


def to_alpaca(preset: Preset) -> Exported:
    """A JSON list of Alpaca's rows, which have no system text."""

    def row(example: PresetExample) -> object:
        return {"instruction": example.query, "input": "", "output": example.answer}

    rows, lost = _rows(preset, row, system=False)
    return Exported(json.dumps(rows, ensure_ascii=False, indent=2) + "\n", ".json", lost)


def _rows(
    preset: Preset, row: Callable[[PresetExample], object], *, system: bool
) -> tuple[list[object], tuple[str, ...]]:
    shown = [example for example in preset.examples if example.enabled]
    if not shown:
        raise PresetError(f"'{preset.name}' has no example that is switched on; rows hold nothing else.")
    lost = ["Left out: the template, which says how the rows become a prompt."]
    if preset.prefix is not None:
        lost.append("Left out: the verbatim text; the examples shown beside it are written.")
    if preset.system and not system:
        lost.append("Left out: the system text.")
    if preset.stop:
        lost.append(f"Left out: {len(preset.stop)} stops of the preset's own.")
    lost_sampling(preset, lost)
    lost_words(preset, lost)
    return [row(example) for example in shown], tuple(lost)
