"""What an import gives: a preset, how true it is to the file, and what could not be kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from playground.errors import PresetError
from playground.presets.names import check_name, safe_name
from playground.presets.preset import MAX_EXAMPLES, Preset, PresetExample
from playground.types import Example

Format = Literal[
    "preset",
    "link",
    "urial",
    "basechat",
    "transcript",
    "text",
    "mikupad",
    "sillytavern",
    "webui-template",
    "webui-sampler",
    "rows",
    "koboldai",
    "card",
    "modelfile",
    "dspy",
    "promptfoo",
    "openai",
    "jinja",
]
Kind = Literal["structured", "verbatim", "template", "sampling"]


class PresetImportError(PresetError):
    """A file that holds nothing that a preset could be made of."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One preset of an imported file.

    Attributes:
        preset: It, ready to be saved.
        format: What the file was taken for.
        kind: ``structured`` = system and examples, which render the file's text byte for byte where it was
            one; ``verbatim`` = the exact text is the prefix, the examples found are shown beside it and not
            sent; ``template`` = how turns are written, without words of its own; ``sampling`` = decoding.
        notes: What was kept in which way, and what has no place in a preset; a sentence each.
        normalised: Of a verbatim one, what it would be with even spacing: structured, but other bytes.
    """

    preset: Preset
    format: Format
    kind: Kind
    notes: tuple[str, ...] = ()
    normalised: Preset | None = None

    def named(self, name: str) -> Imported:
        """The same under another name.

        Raises:
            PresetError: It cannot be a file's name.
        """
        check_name(name)
        other = self.normalised and self.normalised.model_copy(update={"name": name})
        return replace(self, preset=self.preset.model_copy(update={"name": name}), normalised=other)


def make_name(wish: str, notes: list[str]) -> str:
    """A name that a file can have; a note says where it is not the one that was wished for."""
    name = safe_name(wish)
    if name != wish and wish:
        shown = wish if len(wish) <= 60 else wish[:57] + "..."
        notes.append(f"It calls itself '{shown}', which cannot be a file's name: it is '{name}' here.")
    return name


def preset_examples(examples: tuple[Example, ...], notes: list[str]) -> tuple[PresetExample, ...]:
    """Examples as a preset holds them: those without an answer are off, and no more than it can hold."""
    if len(examples) > MAX_EXAMPLES:
        notes.append(
            f"It has {len(examples):,} examples and a preset holds {MAX_EXAMPLES:,}: the rest is left out."
        )
    made = []
    empty = 0
    for example in examples[:MAX_EXAMPLES]:
        enabled = bool(example.query.strip() and example.answer.strip())
        empty += not enabled
        made.append(PresetExample(query=example.query, answer=example.answer, enabled=enabled))
    if empty:
        one = "1 example has" if empty == 1 else f"{empty} examples have"
        notes.append(f"{one} no query or no answer, and so are kept switched off.")
    return tuple(made)


def unused(keys: list[str], notes: list[str], *, of: str) -> None:
    """A note about keys that have no place in a preset, if there are any."""
    if keys:
        shown = ", ".join(keys[:12]) + (f" and {len(keys) - 12} more" if len(keys) > 12 else "")
        notes.append(f"No place for these settings of {of}: {shown}.")
