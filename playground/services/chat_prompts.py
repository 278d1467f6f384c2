"""How an instruct model is prompted: by its own chat template, with a preset's texts as chat turns."""

from __future__ import annotations

from dataclasses import replace

from playground.engines.base import EngineInfo
from playground.errors import ModelLoadError
from playground.models.catalog import ModelEntry
from playground.presets.preset import Preset
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.template_options import chosen_options, options_of
from playground.types import OptionValue, TemplateOption


def chat_renderer(
    entry: ModelEntry, info: EngineInfo, preset: Preset | None, options: tuple[tuple[str, OptionValue], ...]
) -> ChatTemplateRenderer:
    """The renderer of a loaded instruct model.

    Args:
        entry: The model; its catalog entry's template options count after all others.
        info: What was loaded.
        preset: Its system text and examples become messages, its stops and template options are kept.
        options: Named arguments of the chat template, which count before the preset's.

    Raises:
        ModelLoadError: The model carries no chat template.
        TemplateError: The template does not read one of ``options``.
    """
    if not info.chat_template:
        raise ModelLoadError(
            f"{entry.title} carries no chat template; use it as a base model with a preset's template."
        )
    return ChatTemplateRenderer(
        info.chat_template,
        info.bos_text,
        info.eos_text,
        # A verbatim prefix is for base models; an instruct model is shown it as its system text.
        system=(preset.system if preset.prefix is None else preset.prefix) if preset else "",
        examples=preset.turn_examples() if preset and preset.prefix is None else (),
        extra_stop=preset.stop if preset else (),
        options=chosen_options(
            info.chat_template,
            {**dict(entry.template_options), **(preset.template_options if preset else {})},
            dict(options),
        ),
        special_tokens=info.special_tokens,
    )


def model_options(entry: ModelEntry, info: EngineInfo) -> tuple[TemplateOption, ...]:
    """The options that a loaded model's chat template reads, with the catalog entry's values as defaults."""
    set_here = dict(entry.template_options)
    return tuple(
        replace(option, default=set_here.get(option.name, option.default))
        for option in (options_of(info.chat_template) if info.chat_template else ())
    )
