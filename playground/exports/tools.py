"""Templates and samplers of mikupad, SillyTavern and text-generation-webui; their formats: ``imports``."""

from __future__ import annotations

import json
import re

from playground.errors import PresetError
from playground.exports.result import Exported, Parts, lost_sampling, lost_words, parts_of, stop_strings
from playground.presets.preset import Preset
from playground.presets.yaml_text import write_yaml


def to_mikupad(preset: Preset) -> Exported:
    """An instruct template of mikupad's; what stands behind an answer opens its next instruction."""
    parts = parts_of(preset)
    lost = _template_only(parts)
    before, after = parts.system
    gap = parts.turn.after_answer + parts.template.separator
    behind = after + parts.template.separator
    shared = _common_end(gap, behind)
    value = {
        "sysPre": before,
        "sysSuf": behind.removesuffix(shared),
        "instPre": shared + parts.turn.before_query,
        "instSuf": parts.turn.between + parts.template.lead,
    }
    if shared != gap:
        lost.append(
            f"Behind an answer {gap.removesuffix(shared)!r} is not written; the model must do so itself."
        )
    if any("\\n" in text for text in value.values()):
        lost.append("A backslash with an n behind it becomes a line break there.")
    if any(re.search(r"\{/?(inst|sys)\}", text) for text in value.values()):
        lost.append("Names such as {inst} in its texts are replaced there.")
    escaped = {key: text.replace("\n", "\\n") for key, text in value.items()}
    return Exported(_json({preset.title or preset.name: escaped}), ".json", tuple(lost))


def to_sillytavern(preset: Preset) -> Exported:
    """SillyTavern's file of several parts: instruct template, context template, system prompt, sampler."""
    parts = parts_of(preset)
    lost = _template_only(parts, system=False)
    name = preset.title or preset.name
    before, after = parts.system
    separator = parts.template.separator
    stops = list(dict.fromkeys(rule.text.strip("\n") for rule in parts.stops))
    if any("\n" in stop for stop in stops):
        lost.append("A stop of several lines counts line by line there.")
    if any(rule.place != "anywhere" for rule in parts.stops):
        lost.append("Stops count anywhere in an answer there, not only at the start of a line.")
    if before.startswith("\n"):
        lost.append("Line breaks at the start of the prompt are taken off there.")
    if any("{{" in text for text in (before, after, separator, preset.system)):
        lost.append("Double braces in its texts are taken for macros there.")
    sampling = preset.sampling
    value = {
        "instruct": {
            "input_sequence": parts.turn.before_query,
            "output_sequence": parts.turn.between + parts.template.lead,
            "input_suffix": "",
            "output_suffix": parts.turn.after_answer + separator,
            "system_sequence": before,
            "system_suffix": after + separator,
            "first_output_sequence": "",
            "last_output_sequence": "",
            "system_sequence_prefix": "",
            "system_sequence_suffix": "",
            "story_string_prefix": "",
            "story_string_suffix": "",
            "stop_sequence": "\n".join(stops),
            "sequences_as_stop_strings": True,
            "wrap": False,
            "macro": False,
            "names_behavior": "none",
            "name": name,
        },
        "context": {
            "story_string": f"{{{{#if system}}}}{before}{{{{system}}}}{after}{separator}{{{{/if}}}}",
            "example_separator": "",
            "chat_start": "",
            "use_stop_strings": False,
            "name": name,
        },
        "sysprompt": {"name": name, "content": preset.system},
        "preset": {
            "temp": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
            "rep_pen": sampling.repetition_penalty,
            "freq_pen": sampling.frequency_penalty,
            "presence_pen": sampling.presence_penalty,
            "genamt": sampling.max_tokens,
        },
    }
    return Exported(_json(value), ".json", tuple(lost))


def to_webui_template(preset: Preset) -> Exported:
    """An instruction template in Jinja, for text-generation-webui; it holds the examples too.

    It is a chat template like any other and serves wherever one can be set. A system message takes the place
    of the preset's system text.
    """
    parts = parts_of(preset)
    lost: list[str] = []
    stops = stop_strings(parts.stops, lost)
    if stops:
        lost.append(f"Set these as custom stopping strings there: {', '.join(map(repr, stops))}.")
    if parts.template.strip_newlines:
        lost.append("Line breaks around a message are not taken off there.")
    lost_sampling(preset, lost)
    lost_words(preset, lost)
    return Exported(write_yaml({"instruction_template": _jinja(parts)}), ".yaml", tuple(lost))


def to_webui_sampler(preset: Preset) -> Exported:
    """A sampler preset: decoding alone, all keys written."""
    lost: list[str] = []
    kept = {
        ("max_new_tokens" if key == "max_tokens" else key): value
        for key, value in preset.sampling
        if key != "penalize_prompt" and value is not None
    }
    if not preset.sampling.penalize_prompt:
        lost.append("There the repetition penalty counts the prompt's tokens too.")
    lost.append("Left out: the prompt.")
    return Exported(write_yaml(kept), ".yaml", tuple(lost))


def jinja_text(text: str) -> str:
    """A text as a Jinja expression that is that text."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _jinja(parts: Parts) -> str:
    preset, turn, template = parts.preset, parts.turn, parts.template
    separator = template.separator
    before, after = parts.system
    examples = parts_of(preset.model_copy(update={"system": ""})) if preset.prefix is None else parts
    user = f"{jinja_text(turn.before_query)} + message['content'] + {jinja_text(turn.between)}"
    answer = f"{jinja_text(template.lead)} + message['content'] + {jinja_text(turn.after_answer)}"
    lines = ["{%- set at = namespace(said=false, system='') -%}"]
    if preset.prefix is None:
        own = f"{jinja_text(preset.system)}"
        lines += [
            f"{{%- set at.system = {own} -%}}",
            "{%- for message in messages if message['role'] == 'system' -%}",
            "{%- set at.system = message['content'] -%}",
            "{%- endfor -%}",
            "{%- if at.system -%}",
            f"{{{{- {jinja_text(before)} + at.system + {jinja_text(after)} -}}}}",
            "{%- set at.said = true -%}",
            "{%- endif -%}",
        ]
    if examples.headed:
        lines += [
            f"{{%- if at.said -%}}{{{{- {jinja_text(separator)} -}}}}{{%- endif -%}}",
            f"{{{{- {jinja_text(examples.head)} -}}}}",
            "{%- set at.said = true -%}",
        ]
    lines += [
        "{%- for message in messages -%}",
        "{%- if message['role'] == 'user' -%}",
        f"{{%- if at.said -%}}{{{{- {jinja_text(separator)} -}}}}{{%- endif -%}}",
        f"{{{{- {user} -}}}}",
        "{%- set at.said = true -%}",
        "{%- elif message['role'] == 'assistant' -%}",
        f"{{{{- {answer} -}}}}",
        "{%- endif -%}",
        "{%- endfor -%}",
    ]
    return "\n".join(lines) + "\n"


def _template_only(parts: Parts, *, system: bool = True) -> list[str]:
    """What a format of turns alone cannot hold."""
    preset = parts.preset
    if preset.prefix is not None:
        raise PresetError(
            f"'{preset.name}' is a verbatim text, which this format cannot hold; export it as text or python."
        )
    lost: list[str] = []
    if preset.examples:
        lost.append(f"Left out: the {len(preset.examples)} examples; put them into the conversation there.")
    if system and preset.system:
        lost.append("Left out: the system text; set it there.")
    if system:
        lost_sampling(preset, lost)
    if parts.template.strip_newlines:
        lost.append("Line breaks around a message are not taken off there.")
    if system and parts.stops:
        lost.append(f"Set stops there: {', '.join(repr(rule.text) for rule in parts.stops)}.")
    lost_words(preset.model_copy(update={"examples": ()}), lost, kept=("title",))
    return lost


def _common_end(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[-1 - length] == other[-1 - length]:
        length += 1
    return one[len(one) - length :]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
