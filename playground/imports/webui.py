"""text-generation-webui's instruction templates, today's in Jinja and the older ones, and sampler presets.

Source: oobabooga/text-generation-webui ``instruction-templates/*.yaml`` (``instruction_template``; before
that ``user``, ``bot``, ``turn_template``, ``context``) and ``presets/*.yaml``, which hold what is set alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from playground.imports.jinja_pattern import pattern_of
from playground.imports.result import Imported, Kind, PresetImportError, make_name, unused
from playground.imports.samplers import read_sampler
from playground.presets.preset import Preset, PresetTemplate

_OLD = ("user", "bot", "turn_template", "context", "system_message")


def is_template(value: Mapping[object, object]) -> bool:
    """Whether a mapping is an instruction template, of today's kind or the older one."""
    return isinstance(value.get("instruction_template"), str) or isinstance(value.get("turn_template"), str)


def import_template(value: Mapping[object, object], *, name: str) -> Imported:
    """The preset of an instruction template.

    Raises:
        PresetImportError: It cannot be rendered, or has no one turn pattern.
    """
    notes: list[str] = []
    wish = make_name(name, notes)
    if isinstance(value.get("turn_template"), str):
        return _older(value, wish, notes)
    source = str(value["instruction_template"])
    pattern = pattern_of(source)
    if "eos_token" in source or "bos_token" in source:
        notes.append("It writes the model's own special tokens, which this engine adds itself where it must.")
    if "strftime_now" in source:
        notes.append("The date in it is that of this import.")
    if not pattern.takes_system:
        notes.append("It takes no system text: one of yours stands on lines of its own.")
    if pattern.default_system:
        notes.append("The system text is the template's own.")
    unused([str(k) for k in value if k != "instruction_template"], notes, of="the template")
    preset = Preset(
        name=wish,
        system=pattern.default_system,
        template=_checked(
            name,
            f"{pattern.before_system}{{system}}{pattern.after_system}",
            f"{pattern.before_query}{{query}}{pattern.between}{{answer}}{pattern.after_answer}",
            pattern.lead,
        ),
    )
    kind: Kind = "structured" if preset.system else "template"
    return Imported(preset, "webui-template", kind, tuple(notes))


def _older(value: Mapping[object, object], wish: str, notes: list[str]) -> Imported:
    texts = {}
    for key in _OLD:
        text = value.get(key, "")
        if not isinstance(text, str):
            raise PresetImportError(f"'{key}' is {text!r:.60} and should be a text.")
        texts[key] = text
    turn = texts["turn_template"]
    turn = turn.replace("<|user|>", texts["user"]).replace("<|bot|>", texts["bot"])
    turn = turn.replace("<|user-message|>", "{query}").replace("<|bot-message|>", "{answer}")
    lead = turn.partition("{answer}")[0]
    lead = lead[len(lead.rstrip(" ")) :]
    turn = turn.replace(lead + "{answer}", "{answer}", 1)
    context, system = texts["context"], texts["system_message"]
    if context.count("<|system-message|>") == 1:
        pattern = context.replace("<|system-message|>", "{system}")
    else:
        pattern, system = "{system}", context
        if texts["system_message"]:
            notes.append("Its system message has no place in its context and is left out.")
    unused([str(k) for k in value if k not in _OLD and k != "name"], notes, of="the template")
    preset = Preset(name=wish, system=system, template=_checked(wish, pattern, turn, lead))
    return Imported(preset, "webui-template", "structured" if system else "template", tuple(notes))


def import_sampler(value: Mapping[object, object], *, name: str) -> Imported:
    """The preset of a sampler's settings: nothing but decoding.

    Raises:
        PresetImportError: A value that no sampler can work with.
    """
    sampling, lost, notes = read_sampler(value)
    unused(lost, notes, of="the sampler")
    notes.append("It says nothing about the prompt: combine it with the text of another preset.")
    return Imported(
        Preset(name=make_name(name, notes), sampling=sampling), "webui-sampler", "sampling", tuple(notes)
    )


def _checked(name: str, system: str, turn: str, lead: str) -> PresetTemplate:
    try:
        return PresetTemplate(name=name[:80] or "custom", system=system, turn=turn, separator="", lead=lead)
    except ValueError as error:
        reason = str(error).split("\n")[2].strip().removeprefix("Value error, ").split(" [type")[0]
        raise PresetImportError(f"The template cannot be used: {reason}.") from error
