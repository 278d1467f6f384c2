"""What an export gives, and what every export has to say about what it cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.chat.assistant import preset_renderer
from playground.presets.preset import Preset, PresetSampling
from playground.prompts.stops import derive_stops
from playground.prompts.templates import TurnParts, built_in, system_parts, turn_parts
from playground.types import StopRule, Template


@dataclass(frozen=True, slots=True)
class Exported:
    """A preset in another format.

    Attributes:
        text: The file.
        suffix: What such a file's name ends with, ``.`` included.
        lost: What the format cannot hold, or holds otherwise; a sentence each.
    """

    text: str
    suffix: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """A preset taken apart for an export.

    ``head`` is the exact text in front of a conversation, which may be empty though examples stand there.
    """

    preset: Preset
    template: Template
    turn: TurnParts
    system: tuple[str, str]
    head: str
    stops: tuple[StopRule, ...]

    @property
    def headed(self) -> bool:
        """Whether anything stands in front of a conversation, so that a separator follows it."""
        preset = self.preset
        if preset.prefix is not None:
            return bool(preset.prefix)
        return bool(preset.system) or any(example.enabled for example in preset.examples)

    @property
    def joined(self) -> str:
        """The head, and the separator that stands before the first live turn."""
        return self.head + self.template.separator if self.headed else ""


def parts_of(preset: Preset) -> Parts:
    """A preset's template, literals, head and stops.

    Raises:
        TemplateError: It names a template that there is not.
    """
    template = preset.own_template() or built_in(str(preset.template))
    return Parts(
        preset=preset,
        template=template,
        turn=turn_parts(template),
        system=system_parts(template),
        head=preset_renderer(preset).render([]).text,
        stops=derive_stops(template) + tuple(StopRule(text) for text in preset.stop),
    )


def stop_strings(stops: Sequence[StopRule], lost: list[str]) -> list[str]:
    """The stops as plain strings, which is all that other programs know; says where that means less."""
    strings: list[str] = []
    for rule in stops:
        text = rule.text if rule.place == "anywhere" else f"\n{rule.text}"
        if text not in strings:
            strings.append(text)
        if rule.place == "whole_line":
            lost.append(
                f"The stop {rule.text!r} counts here only as a whole line outside a code block; there it "
                "ends an answer at the start of any line, so that answers with such lines are cut."
            )
    return strings


def lost_words(preset: Preset, lost: list[str], *, kept: Sequence[str] = ()) -> None:
    """What is for people, and other programs have no place for."""
    words = {
        "title": preset.title,
        "description": preset.description,
        "notes": preset.notes,
        "questions": preset.questions,
        "author and licence": preset.author or preset.license,
        "tags": preset.tags,
        "results": preset.results,
        "derived_from": preset.derived_from,
    }
    gone = [name for name, value in words.items() if value and name not in kept]
    if gone:
        lost.append(f"Left out: {', '.join(gone)}.")
    off = sum(not example.enabled for example in preset.examples)
    if off:
        lost.append(f"Left out: {off} examples that are switched off.")


def lost_sampling(preset: Preset, lost: list[str]) -> None:
    """That the format holds no decoding, where the preset's is not the plain default."""
    set_ = [key for key, value in preset.sampling if value != getattr(PresetSampling(), key)]
    if set_:
        lost.append(f"Left out: decoding ({', '.join(set_)}).")
