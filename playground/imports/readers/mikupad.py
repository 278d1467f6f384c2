"""mikupad's instruct templates: JSON ``{name: {sysPre, sysSuf, instPre, instSuf}}``, line breaks escaped.

Source: lmg-anon/mikupad. What is written behind an answer opens the next instruction there, as in ChatML's
``instPre``, which begins with ``<|im_end|>``; such a text is made a stop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from playground.imports.result import Imported, PresetImportError, make_name, unused
from playground.imports.samplers import read_known
from playground.presets.preset import Preset, PresetTemplate

KEYS = ("sysPre", "sysSuf", "instPre", "instSuf")
_SESSION = (
    "memoryTokens",
    "authorNoteTokens",
    "endpointAPI",
    "repeatPenalty",
    "maxPredictTokens",
    "stoppingStrings",
)


def is_template(value: object) -> bool:
    """Whether a JSON value is one template of mikupad's."""
    return isinstance(value, Mapping) and isinstance(value.get("instPre"), str)


def is_session(value: object) -> bool:
    """Whether a JSON value is a session: its text in chunks, and settings."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("prompt"), (list, str))
        and any(key in value for key in _SESSION)
    )


def import_session(value: Mapping[str, object], *, name: str, source: str) -> tuple[Imported, ...]:
    """The preset of a session: its text as any text is imported, its sampling and stops.

    Raises:
        PresetImportError: It holds no text.
    """
    from playground.imports.recognise import import_text

    settings = {key: _unpacked(item) for key, item in value.items()}
    chunks = settings["prompt"]
    text = (
        chunks
        if isinstance(chunks, str)
        else "".join(map(_chunk, chunks if isinstance(chunks, list) else []))
    )
    memory = settings.get("memoryTokens")
    if isinstance(memory, Mapping):
        text = "".join(str(memory.get(key) or "") for key in ("prefix", "text", "suffix")) + text
    if not text.strip():
        raise PresetImportError(f"{source} is a session of mikupad's without any text.")
    sampling, notes = read_known(settings)
    stops = settings.get("stoppingStrings")
    stops = _unpacked(stops) if isinstance(stops, str) else stops
    kept = [str(stop) for stop in stops] if isinstance(stops, list) else []
    title = settings.get("name")
    (found, *_) = import_text(text, name=title if isinstance(title, str) and title else name, source=source)
    update = {"sampling": sampling, "stop": tuple(stop for stop in kept if stop.strip())}
    for key in ("worldInfo", "authorNoteTokens", "grammar"):
        if (isinstance(item := settings.get(key), Mapping) and item.get("text")) or (
            key == "grammar" and item
        ):
            unused([key], notes, of="the session")
    other = found.normalised and found.normalised.model_copy(update=update)
    return (
        Imported(
            found.preset.model_copy(update=update), "mikupad", found.kind, (*found.notes, *notes), other
        ),
    )


def _chunk(chunk: object) -> str:
    return str(chunk.get("content") or "") if isinstance(chunk, Mapping) else str(chunk)


def _unpacked(value: object) -> object:
    """A setting that was kept as JSON text, as its value."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def import_templates(value: Mapping[str, object], *, name: str) -> tuple[Imported, ...]:
    """A preset for each template in a file.

    Raises:
        PresetImportError: A template's texts are no texts.
    """
    templates = {name: value} if is_template(value) else value
    return tuple(
        _one(str(title), template) for title, template in templates.items() if isinstance(template, Mapping)
    )


def _one(title: str, template: Mapping[str, object]) -> Imported:
    notes: list[str] = []
    texts = {}
    for key in KEYS:
        text = template.get(key, "")
        if not isinstance(text, str):
            raise PresetImportError(f"'{key}' of template '{title}' is no text.")
        texts[key] = text.replace("\\n", "\n")
    for key in ("instPre", "instSuf"):
        if "{query}" in texts[key] or "{answer}" in texts[key]:
            raise PresetImportError(
                f"'{key}' of template '{title}' holds {{query}} or {{answer}}; remove it."
            )
    lead = texts["instSuf"][len(texts["instSuf"].rstrip(" ")) :]
    turn = f"{texts['instPre']}{{query}}{texts['instSuf'].rstrip(' ')}{{answer}}"
    system = f"{texts['sysPre']}{{system}}{texts['sysSuf']}"
    opening = texts["instPre"].split("\n")[0].strip()
    stop = (opening,) if opening else ()
    if stop:
        notes.append(f"'{opening}' is written right behind an answer, so it is a stop.")
    unused([key for key in template if key not in (*KEYS, "name")], notes, of="mikupad")
    preset = Preset(
        name=make_name(title, notes),
        title=title[:200],
        template=PresetTemplate(
            name=title[:80] or "mikupad",
            system=system if system.count("{system}") == 1 else "{system}",
            turn=turn,
            separator="",
            lead=lead,
        ),
        stop=stop,
    )
    return Imported(preset, "mikupad", "template", tuple(notes))
