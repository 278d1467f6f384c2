"""SillyTavern's instruct and context templates, system prompts, and the file that holds them all.

Source: SillyTavern ``default/content/presets/instruct`` and ``context``. With ``wrap``, a line break stands
between a sequence and its message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from playground.imports.result import Imported, Kind, PresetImportError, make_name, unused
from playground.imports.samplers import is_sampler, read_sampler
from playground.presets.preset import Preset, PresetSampling, PresetTemplate

_SEQUENCES = (
    "input_sequence",
    "output_sequence",
    "system_sequence",
    "input_suffix",
    "output_suffix",
    "system_suffix",
    "stop_sequence",
)
_INSTRUCT = (*_SEQUENCES, "wrap", "name", "system_prompt", "macro")
_PARTS = ("instruct", "context", "sysprompt", "preset")
_MACRO = re.compile(r"\{\{[^{}]{1,80}\}\}")
_BLOCK = re.compile(r"\{\{#if ([^{}]{1,40})\}\}((?:(?!\{\{#if |\{\{/if\}\}).)*)\{\{/if\}\}", re.DOTALL)


def is_instruct(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is an instruct template."""
    return isinstance(value.get("input_sequence"), str) and isinstance(value.get("output_sequence"), str)


def is_context(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is a context template."""
    return isinstance(value.get("story_string"), str)


def is_whole(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is a file of several of them."""
    return any(
        isinstance(part, Mapping) and (is_instruct(part) or is_context(part))
        for part in (value.get("instruct"), value.get("context"))
    )


def import_sillytavern(value: Mapping[object, object], *, name: str) -> Imported:
    """The preset of an instruct template, a context template, or a file with several parts.

    Raises:
        PresetImportError: A text is no text, or the turns cannot be written as one pattern.
    """
    parts: dict[str, Mapping[object, object]] = {}
    if is_whole(value):
        parts = {key: part for key in _PARTS if isinstance(part := value.get(key), Mapping)}
    elif is_instruct(value):
        parts = {"instruct": value}
    else:
        parts = {"context": value}
    notes: list[str] = []
    title = next((str(p["name"]) for p in parts.values() if isinstance(p.get("name"), str)), name)
    instruct, context = parts.get("instruct", {}), parts.get("context", {})
    sysprompt = parts.get("sysprompt", {})
    template = _template(instruct, context, title, notes)
    system = _text(sysprompt, "content") or _text(instruct, "system_prompt")
    _macros(system, "the system prompt", notes)
    sampling = PresetSampling()
    settings = parts.get("preset", {})
    if is_sampler(settings):
        sampling, lost, changed = read_sampler({k: v for k, v in settings.items() if k != "name"})
        notes += changed
        unused(lost, notes, of="its sampler")
    elif settings:
        notes.append("Its sampler settings are not known here and are left out.")
    if is_whole(value):
        unused([str(k) for k in value if k not in _PARTS], notes, of="SillyTavern")
    stop = _text(instruct, "stop_sequence")
    preset = Preset(
        name=make_name(title, notes),
        title=title[:200],
        template=template,
        system=system,
        sampling=sampling,
        stop=(stop,) if stop.strip() else (),
    )
    kind: Kind = "structured" if system else "template"
    return Imported(preset, "sillytavern", kind, tuple(notes))


def _template(
    instruct: Mapping[object, object], context: Mapping[object, object], title: str, notes: list[str]
) -> PresetTemplate | str:
    line = "\n" if instruct.get("wrap") is True or not instruct else ""
    story = _story(context, notes, line) if context else None
    if not instruct:
        turn = "User: {query}\nAssistant:{answer}\n"
        notes.append("A context template does not say how turns are written: they are 'User:', 'Assistant:'.")
        return PresetTemplate(name=title[:80] or "context", system=story or "{system}\n", turn=turn, lead=" ")
    texts = {key: _text(instruct, key) for key in _SEQUENCES}
    for key, text in texts.items():
        _macros(text, key, notes)
        if "{query}" in text or "{answer}" in text or "{system}" in text:
            raise PresetImportError(
                f"'{key}' holds a field in braces, which a turn pattern cannot; remove it."
            )
    own = f"{texts['system_sequence']}{line if texts['system_sequence'] else ''}{{system}}"
    own += texts["system_suffix"] or line or "\n"
    turn = f"{texts['input_sequence']}{line}{{query}}{texts['input_suffix'] or line}"
    opening = texts["output_sequence"] + line
    lead = opening[len(opening.rstrip(" ")) :]
    turn += f"{opening.rstrip(' ')}{{answer}}{texts['output_suffix'] or line}"
    ignored = [str(k) for k, v in instruct.items() if k not in _INSTRUCT and v not in ("", False, None, [])]
    unused(ignored, notes, of="the instruct template")
    return PresetTemplate(
        name=title[:80] or "instruct", system=story or own, turn=turn, separator="", lead=lead
    )


def _story(context: Mapping[object, object], notes: list[str], line: str) -> str | None:
    """The story string as a system pattern: only ``{{system}}`` of its fields has a counterpart here.

    A line break is put behind it where it has none, as SillyTavern does (but not without ``wrap``).
    """
    story = _text(context, "story_string").replace("\r\n", "\n")
    dropped: list[str] = []

    def block(match: re.Match[str]) -> str:
        if match[1].strip() == "system":
            return match[2]
        dropped.append(match[1].strip())
        return ""

    for _ in range(5):  # the innermost blocks first
        story = _BLOCK.sub(block, story)
    story = re.sub(r"\n*\{\{trim\}\}\n*", "", story)
    pattern = story.replace("{{system}}", "\0", 1)
    rest = list(dict.fromkeys(_MACRO.findall(pattern)))
    pattern = _MACRO.sub("", pattern)
    if dropped or rest:
        gone = ", ".join([*dict.fromkeys(dropped), *rest][:12])
        notes.append(f"Fields of the story string that are no part of a preset were left out: {gone}.")
    ignored = [
        str(k) for k, v in context.items() if k not in ("story_string", "name") and v not in ("", False, None)
    ]
    unused(ignored, notes, of="the context template")
    if "\0" not in pattern or "{system}" in pattern:
        notes.append("The story string has no {{system}}: the system text stands on lines of its own.")
        return None
    pattern = pattern.replace("\0", "{system}").lstrip("\n")
    return pattern if pattern.endswith("\n") else pattern + line


def _text(part: Mapping[object, object], key: str) -> str:
    value = part.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PresetImportError(f"'{key}' is {value!r:.60} and should be a text.")
    return value


def _macros(text: str, where: str, notes: list[str]) -> None:
    found = list(dict.fromkeys(_MACRO.findall(text)))
    if found:
        notes.append(f"{', '.join(found[:6])} in {where} is not replaced here and stays as it is.")
