"""Two people changed one preset: what each changed, what both can have, and where they must choose."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from playground.chat.assistant import preset_renderer
from playground.presets.preset import Preset
from playground.studio.diff import PresetDiff, diff_presets


@dataclass(frozen=True, slots=True)
class Conflict:
    """A three-way view of a preset.

    Attributes:
        mine, theirs: What each side changed since the base.
        between: From theirs to mine.
        clashing: Keys of the preset that both changed, each to something else, in the file's order.
        merged: Both sides' changes in one preset; the clashing keys are as mine has them.
    """

    mine: PresetDiff
    theirs: PresetDiff
    between: PresetDiff
    clashing: tuple[str, ...]
    merged: Preset


def three_way(base: Preset, mine: Preset, theirs: Preset) -> Conflict:
    """Compare two versions of a preset with the one that both started from.

    A key is taken from the side that changed it. The list of examples counts as one key: which of two new
    orders is meant, nobody can tell.

    Raises:
        TemplateError: One of them names a template that there is not.
    """
    kept: dict[str, object] = {}
    clashing: list[str] = []
    for key, field in Preset.model_fields.items():
        ours, other, old = (getattr(preset, key) for preset in (mine, theirs, base))
        if ours == old and other != old:
            kept[key] = other
        elif ours not in (old, other) and other != old:
            clashing.append(field.alias or key)
    return Conflict(
        mine=diff_presets(base, mine),
        theirs=diff_presets(base, theirs),
        between=diff_presets(theirs, mine),
        clashing=tuple(clashing),
        merged=mine.model_copy(update=kept),
    )


def prompt_difference(old: Preset, new: Preset) -> tuple[str, ...]:
    """A diff of two presets' prompts without a conversation; blanks at a line's end can be seen."""
    before, after = (
        [_visible(line) for line in preset_renderer(preset).render([]).text.split("\n")]
        for preset in (old, new)
    )
    return tuple(difflib.unified_diff(before, after, lineterm="", n=2))[2:]


def _visible(line: str) -> str:
    kept = line.rstrip(" \t\r")
    tail = line[len(kept) :].replace(" ", "·").replace("\t", "→").replace("\r", "␍")
    return kept + tail
