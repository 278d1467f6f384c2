"""What the linter finds, and what its rules look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from playground.engines.base import Engine
from playground.presets.preset import Preset
from playground.types import Prompt, StopRule, Template

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is likely wrong.

    Attributes:
        rule: Its short name, the same in every output.
        severity: ``error`` breaks answers, ``warning`` may, ``info`` is worth knowing.
        place: Where: ``system``, ``examples.2.answer``, ``template``, ``sampling.max_tokens`` ...
        message: The reason in one sentence.
        fix: The preset with the finding mended, where one click can.
    """

    rule: str
    severity: Severity
    place: str
    message: str
    fix: Preset | None = None


@dataclass(frozen=True, slots=True)
class Linted:
    """What the rules look at, worked out once."""

    preset: Preset
    template: Template
    prompt: Prompt
    stops: tuple[StopRule, ...]
    engine: Engine | None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text of a person that is sent, with its place; disabled examples are not."""
        if self.preset.prefix is not None:
            yield "prefix", self.preset.prefix
            return
        if self.preset.system:
            yield "system", self.preset.system
        for i, example in enumerate(self.preset.examples):
            if example.enabled:
                yield f"examples.{i}.query", example.query
                yield f"examples.{i}.answer", example.answer


Rule: TypeAlias = Callable[[Linted], Iterator[Finding]]


def shown(text: str) -> str:
    """A text in a sentence, in backticks where it holds none."""
    return f"`{text}`" if "`" not in text else f"'{text}'"
