"""Pools of examples: questions with references, told in a preset's manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from playground.experiments.pair_scoring import style_of
from playground.presets.preset import Preset
from playground.types import Example


def in_style_of(examples: Sequence[Example], preset: Preset | None) -> tuple[Example, ...]:
    """The examples with the greeting and closing that a preset's own examples share.

    Only what stands around an answer is added; lists, bare values and other wording are not made.
    """
    if preset is None:
        return tuple(examples)
    style = style_of(preset)
    space = "" if style.chinese else " "
    told = []
    for example in examples:
        parts = [part for part in (style.opening, example.answer, style.closing) if part]
        told.append(replace(example, answer=space.join(parts)))
    return tuple(told)
