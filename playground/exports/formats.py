"""The formats that a preset is exported to, by the names that people use."""

from __future__ import annotations

from collections.abc import Callable

from playground.errors import PresetError
from playground.exports import ollama, programs, rows, texts, tools
from playground.exports.result import Exported
from playground.presets.preset import Preset

FORMATS: dict[str, Callable[[Preset], Exported]] = {
    "yaml": texts.to_yaml,
    "text": texts.to_text,
    "urial": texts.to_urial,
    "basechat": texts.to_basechat,
    "transcript": texts.to_transcript,
    "messages": rows.to_messages,
    "sharegpt": rows.to_sharegpt,
    "alpaca": rows.to_alpaca,
    "mikupad": tools.to_mikupad,
    "sillytavern": tools.to_sillytavern,
    "webui-template": tools.to_webui_template,
    "webui-sampler": tools.to_webui_sampler,
    "python": programs.to_python,
    "curl": programs.to_curl,
    "ollama": ollama.to_ollama,
}


def export_preset(preset: Preset, to: str) -> Exported:
    """A preset in another format.

    Raises:
        PresetError: There is no such format, or it cannot hold this preset at all.
        TemplateError: The preset names a template that there is not.
    """
    if to not in FORMATS:
        raise PresetError(f"There is no format '{to}'. Use one of: {', '.join(FORMATS)}.")
    return FORMATS[to](preset)
