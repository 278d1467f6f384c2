"""Prompt files and transcripts: the text in front of a conversation."""

from __future__ import annotations

from playground.chat.assistant import preset_renderer
from playground.exports.result import Exported, lost_sampling, lost_words, parts_of
from playground.presets.preset import Preset

URIAL = ("urial_backticks", "urial_v4", "urial_v5", "urial_v6")


def to_yaml(preset: Preset) -> Exported:
    """The preset's own file: nothing is lost."""
    return Exported(preset.to_yaml(), ".yaml")


def to_urial(preset: Preset) -> Exported:
    """A URIAL prompt file. Its live turns are those of the preset, if its template is one of URIAL's."""
    lost: list[str] = []
    if preset.template not in URIAL:
        if preset.prefix is not None:
            lost.append("The verbatim text is kept; URIAL writes live turns in fences of backticks.")
        else:
            lost.append("Examples and live turns are in fences of backticks, as URIAL writes them.")
            preset = preset.model_copy(update={"template": "urial_backticks"})
    return _prompt_file(preset, lost)


def to_basechat(preset: Preset) -> Exported:
    """A prompt as BaseChat has it: fences of three quotation marks, which leave code in answers alone."""
    lost: list[str] = []
    if preset.template != "basechat":
        if preset.prefix is not None:
            lost.append("The verbatim text is kept; BaseChat's live turns differ from the preset's.")
        else:
            lost.append("Examples and live turns are in fences of three quotation marks.")
            preset = preset.model_copy(update={"template": "basechat"})
    return _prompt_file(preset, lost)


def to_transcript(preset: Preset) -> Exported:
    """``User:`` and ``Assistant:`` lines, for people and for everything that reads them."""
    lost: list[str] = []
    if preset.prefix is not None:
        lost.append("The verbatim text is left out; the examples shown beside it are written instead.")
    plain = preset.model_copy(update={"template": "plain", "prefix": None})
    if preset.template != "plain":
        lost.append("The template is left out: turns are 'User:' and 'Assistant:' lines.")
    return _prompt_file(plain, lost)


def to_text(preset: Preset) -> Exported:
    """The exact text that stands in front of a conversation, in the preset's own template."""
    return _prompt_file(preset, [])


def _prompt_file(preset: Preset, lost: list[str]) -> Exported:
    text = preset_renderer(preset).render([]).text
    if preset.stop:
        lost.append(f"Left out: {len(preset.stop)} stops of the preset's own.")
    lost_sampling(preset, lost)
    lost_words(parts_of(preset).preset, lost)
    return Exported(text, ".txt", tuple(lost))
