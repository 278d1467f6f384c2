"""SillyTavern's instruct and context templates, system prompts, and the file that holds them all.

Source: SillyTavern ``default/content/presets`` and what ``public/scripts/instruct-mode.js`` does with them.
With ``wrap``, a line break stands between a sequence and its message, and behind a message without a suffix.
The story string stands between ``story_string_prefix`` and ``story_string_suffix``; in older versions the
system prompt in it stood between ``system_sequence_prefix`` and ``system_sequence_suffix``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from playground.imports.macros import resolve
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
    "story_string_prefix",
    "story_string_suffix",
    "system_sequence_prefix",
    "system_sequence_suffix",
)
_INSTRUCT = (*_SEQUENCES, "wrap", "name", "system_prompt", "macro", "sequences_as_stop_strings", "enabled")
_PARTS = ("instruct", "context", "sysprompt", "preset")
_MACRO = re.compile(r"\{\{[^{}]{1,80}\}\}")
_BLOCK = re.compile(
    r"\{\{~?#(if|unless) ([^{}~]{1,40})~?\}\}((?:(?!\{\{~?#(?:if|unless) |\{\{~?/(?:if|unless)~?\}\}).)*)"
    r"\{\{~?/(?:if|unless)~?\}\}",
    re.DOTALL,
)
_ELSE = re.compile(r"\{\{~?else~?\}\}")


def is_instruct(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is an instruct template."""
    return isinstance(value.get("input_sequence"), str) and isinstance(value.get("output_sequence"), str)


def is_context(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is a context template."""
    return isinstance(value.get("story_string"), str)


def is_system_prompt(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is a system prompt."""
    known = {"name", "content", "post_history", "prefer_char_prompt", "prefer_char_jailbreak", "enabled"}
    return (
        isinstance(value.get("content"), str) and isinstance(value.get("name"), str) and set(value) <= known
    )


def is_whole(value: Mapping[object, object]) -> bool:
    """Whether a JSON object is a file of several of them."""
    checks = {"instruct": is_instruct, "context": is_context, "sysprompt": is_system_prompt}
    return any(isinstance(part := value.get(key), Mapping) and check(part) for key, check in checks.items())


def import_sillytavern(value: Mapping[object, object], *, name: str) -> Imported:
    """The preset of an instruct template, a context template, or a file with several parts.

    Raises:
        PresetImportError: A text is no text, or the turns cannot be written as one pattern.
    """
    parts: dict[str, Mapping[object, object]] = {}
    if is_whole(value):
        parts = {key: part for key in _PARTS if isinstance(part := value.get(key), Mapping)}
    else:
        kind_ = "instruct" if is_instruct(value) else "context" if is_context(value) else "sysprompt"
        parts = {kind_: value}
    notes: list[str] = []
    title = next((str(p["name"]) for p in parts.values() if isinstance(p.get("name"), str)), name)
    instruct, context = parts.get("instruct", {}), parts.get("context", {})
    sysprompt = parts.get("sysprompt", {})
    template = _template(instruct, context, title, notes) if instruct or context else "plain"
    if template == "plain":
        notes.append("It does not say how turns are written: they are 'User:' and 'Assistant:' lines.")
    system = _text(sysprompt, "content") or _text(instruct, "system_prompt")
    system = resolve(system, "the system prompt", notes)
    if _text(sysprompt, "post_history").strip():
        notes.append(
            "Its text behind the conversation (post_history) has no place in a preset and is left out."
        )
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
    stops = [line for line in _text(instruct, "stop_sequence").split("\n") if line.strip()]
    preset = Preset(
        name=make_name(title, notes),
        title=title[:200],
        template=template,
        system=system,
        sampling=sampling,
        stop=tuple(dict.fromkeys(resolve(stop, "the stop sequence", notes) for stop in stops)),
    )
    kind: Kind = "structured" if system else "template"
    return Imported(preset, "sillytavern", kind, tuple(notes))


def _template(
    instruct: Mapping[object, object], context: Mapping[object, object], title: str, notes: list[str]
) -> PresetTemplate | str:
    line = "\n" if instruct.get("wrap") is True or not instruct else ""
    texts = {key: _text(instruct, key) for key in _SEQUENCES}
    for key, text in texts.items():
        text = text.replace("{{name}}", "{{user}}" if key.startswith("input") else "{{char}}")
        texts[key] = text = resolve(text, key, notes)
        if "{query}" in text or "{answer}" in text or "{system}" in text:
            raise PresetImportError(
                f"'{key}' holds a field in braces, which a turn pattern cannot; remove it."
            )
    story = _story(context, notes, "" if texts["story_string_suffix"] else line) if context else None
    if not instruct:
        turn = "User: {query}\nAssistant:{answer}\n"
        notes.append("A context template does not say how turns are written: they are 'User:', 'Assistant:'.")
        return PresetTemplate(name=title[:80] or "context", system=story or "{system}\n", turn=turn, lead=" ")
    turn = f"{_led(texts['input_sequence'], line)}{{query}}{texts['input_suffix'] or line}"
    opening = _led(texts["output_sequence"], line)
    lead = opening[len(opening.rstrip(" ")) :]
    turn += f"{opening.rstrip(' ')}{{answer}}{texts['output_suffix'] or line}"
    ignored = [str(k) for k, v in instruct.items() if k not in _INSTRUCT and v not in ("", False, None, [])]
    unused(ignored, notes, of="the instruct template")
    return PresetTemplate(
        name=title[:80] or "instruct", system=_system(texts, story, line), turn=turn, separator="", lead=lead
    )


def _led(sequence: str, line: str) -> str:
    """A sequence as it stands before a message."""
    return f"{sequence}{line}" if sequence else ""


def _system(texts: Mapping[str, str], story: str | None, line: str) -> str:
    """The system pattern: the story string, or the system text alone, in what is written around it."""
    before, after = texts["system_sequence_prefix"], texts["system_sequence_suffix"]
    prompt = f"{_led(before, line)}{{system}}" + (f"{line}{after}" if after else "")
    around = texts["story_string_prefix"], texts["story_string_suffix"]
    if any(around):
        told = (story or "{system}").replace("{system}", prompt)
        return f"{_led(around[0], line)}{told}{around[1]}"
    if story is not None:
        return story.replace("{system}", prompt)
    own = f"{_led(texts['system_sequence'], line)}{prompt}"
    return own + (texts["system_suffix"] or line or "\n")


def _story(context: Mapping[object, object], notes: list[str], line: str) -> str | None:
    """The story string as a system pattern: only ``{{system}}`` of its fields has a counterpart here.

    A line break is put behind it where it has none, as SillyTavern does (but not without ``wrap``).
    """
    story = _text(context, "story_string").replace("\r\n", "\n")
    dropped: list[str] = []

    def block(match: re.Match[str]) -> str:
        kept, *other = _ELSE.split(match[3], maxsplit=1)
        there = (match[2].strip() == "system") == (match[1] == "if")
        if match[2].strip() != "system":
            dropped.append(match[2].strip())
        return kept if there else "".join(other)

    for _ in range(5):  # the innermost blocks first
        story = _BLOCK.sub(block, story)
    pattern = resolve(story.replace("{{system}}", "\0", 1), "the story string", [])
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
