"""How an instruct model is prompted: by its own chat template, with a preset's texts as chat turns."""

from __future__ import annotations

from playground.engines.base import EngineInfo
from playground.errors import ModelLoadError
from playground.presets.preset import Preset
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.template_options import chosen_options
from playground.types import OptionValue


def chat_renderer(
    title: str, info: EngineInfo, preset: Preset | None, options: tuple[tuple[str, OptionValue], ...]
) -> ChatTemplateRenderer:
    """The renderer of a loaded instruct model.

    Args:
        title: What people call the model.
        info: What was loaded.
        preset: Its system text and examples become messages, its stops and template options are kept.
        options: Named arguments of the chat template, which count before the preset's.

    Raises:
        ModelLoadError: The model carries no chat template.
        TemplateError: The template does not read one of ``options``.
    """
    if not info.chat_template:
        raise ModelLoadError(
            f"{title} carries no chat template; use it as a base model with a preset's template."
        )
    return ChatTemplateRenderer(
        info.chat_template,
        info.bos_text,
        info.eos_text,
        # A verbatim prefix is for base models; an instruct model is shown it as its system text.
        system=(preset.system if preset.prefix is None else preset.prefix) if preset else "",
        examples=preset.turn_examples() if preset and preset.prefix is None else (),
        extra_stop=preset.stop if preset else (),
        options=chosen_options(info.chat_template, preset.template_options if preset else {}, dict(options)),
        special_tokens=info.special_tokens,
    )
