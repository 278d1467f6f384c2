"""The formats that are imported, as a table: each says which texts are its own and reads them.

Order matters: the first that fits reads. Formats of objects stand before rows, rows before prose.
"""

from __future__ import annotations

import contextlib
import json

from playground.imports import webui
from playground.imports.given import Given, ImportFormat
from playground.imports.readers import (
    card,
    chat_log,
    dspy,
    jinja_file,
    kobold,
    mikupad,
    modelfile,
    openai,
    promptfoo,
    sillytavern,
)
from playground.imports.result import Imported, PresetImportError
from playground.imports.rows import MAX_ROWS, has_columns, import_rows
from playground.imports.samplers import is_sampler, read_stops
from playground.imports.transcript import import_plain_text, import_transcript, is_transcript
from playground.imports.urial import import_prompt_file, is_prompt_file
from playground.presets.preset import Preset

_OURS = ("schema", "template", "system", "examples", "prefix", "sampling", "title", "description")


def formats() -> tuple[ImportFormat, ...]:
    """Every format, in the order in which they are tried."""
    return (
        ImportFormat("Modelfiles of Ollama", modelfile.is_modelfile, modelfile.read_modelfile),
        ImportFormat("templates of Ollama", modelfile.is_go_template, modelfile.read_go_template),
        ImportFormat("chat templates (.jinja)", jinja_file.is_template, jinja_file.read_template),
        ImportFormat("text-generation-webui's templates", lambda g: webui.is_template(g.mapping), _webui),
        ImportFormat("SillyTavern's templates and system prompts", _is_sillytavern, _sillytavern),
        ImportFormat("character cards", card.is_card, card.read_card),
        ImportFormat("stories of KoboldAI", kobold.is_story, kobold.read_story),
        ImportFormat("sessions of mikupad", lambda g: mikupad.is_session(g.value), _mikupad_session),
        ImportFormat("programs of DSPy", dspy.is_program, dspy.read_program),
        ImportFormat("prompts of promptfoo", promptfoo.is_config, promptfoo.read_config),
        ImportFormat("exports of OpenAI's playground", openai.is_request, openai.read_request),
        ImportFormat("presets of this program", _is_preset, _preset),
        ImportFormat("samplers", lambda g: is_sampler(g.mapping), _sampler),
        ImportFormat("templates of mikupad", _is_mikupad, _mikupad),
        ImportFormat("rows of messages, ShareGPT, Alpaca or a table", _is_rows, _rows),
        ImportFormat("URIAL's and BaseChat's prompt files", _is_prompt_file, _prompt_file),
        ImportFormat("chat logs", chat_log.is_log, chat_log.read_log),
        ImportFormat("lists of prompts", promptfoo.is_prompt_list, promptfoo.read_prompts),
        ImportFormat("transcripts", lambda g: g.value is None and is_transcript(g.text), _transcript),
        ImportFormat("texts with {{variables}}", promptfoo.is_prompt, promptfoo.read_prompts),
        ImportFormat("any text", lambda g: g.value is None, _plain),
    )


def _is_sillytavern(given: Given) -> bool:
    value = given.mapping
    checks = (
        sillytavern.is_whole,
        sillytavern.is_instruct,
        sillytavern.is_context,
        sillytavern.is_system_prompt,
    )
    return any(check(value) for check in checks)


def _sillytavern(given: Given) -> tuple[Imported, ...]:
    return (sillytavern.import_sillytavern(given.mapping, name=given.name),)


def _webui(given: Given) -> tuple[Imported, ...]:
    return (webui.import_template(given.mapping, name=given.name),)


def _sampler(given: Given) -> tuple[Imported, ...]:
    named = given.mapping.get("name", given.mapping.get("preset"))
    name = named if isinstance(named, str) and named else given.name
    found = webui.import_sampler(given.mapping, name=name)
    preset = found.preset.model_copy(update={"stop": read_stops(given.mapping)})
    return (Imported(preset, found.format, found.kind, found.notes),)


def _is_preset(given: Given) -> bool:
    value = given.mapping
    return "schema" in value or (isinstance(value.get("name"), str) and any(key in value for key in _OURS))


def _preset(given: Given) -> tuple[Imported, ...]:
    kept = {key: item for key, item in given.mapping.items() if key != "content_hash"}
    return (Imported(Preset.checked(kept, source=given.source, places=given.places), "preset", "structured"),)


def _mikupad_session(given: Given) -> tuple[Imported, ...]:
    return mikupad.import_session(given.mapping, name=given.name, source=given.source)


def _is_mikupad(given: Given) -> bool:
    value = given.mapping
    return mikupad.is_template(value) or (bool(value) and all(map(mikupad.is_template, value.values())))


def _mikupad(given: Given) -> tuple[Imported, ...]:
    return mikupad.import_templates(given.mapping, name=given.name)


def _is_rows(given: Given) -> bool:
    if given.value is not None:
        return given.places is None  # JSON of any other kind
    return (given.text.lstrip()[:1] in ("{", "[") and _is_json_lines(given.text)) or has_columns(
        given.text, source=given.source
    )


def _is_json_lines(text: str) -> bool:
    return '"' in text.lstrip()[:200] and text.lstrip().startswith(("{", "[{"))


def _rows(given: Given) -> tuple[Imported, ...]:
    if isinstance(given.value, list) and len(given.value) > MAX_ROWS:
        raise PresetImportError(
            f"{given.source} has {len(given.value):,} rows; import at most {MAX_ROWS:,} of them."
        )
    try:
        return (import_rows(given.text, name=given.name, source=given.source),)
    except PresetImportError as error:
        if given.value is None and given.text.startswith("["):
            with contextlib.suppress(RecursionError):
                _check_json(given, error)
        raise


def _check_json(given: Given, error: PresetImportError) -> None:
    """Say where a list of which no item could be read is no JSON.

    Raises:
        PresetImportError: It is none.
    """
    try:
        json.loads(given.text)
    except json.JSONDecodeError as broken:
        where = f"line {broken.lineno}, column {broken.colno}"
        raise PresetImportError(f"{given.source} is not valid JSON: {where}: {broken.msg}.") from error


def _is_prompt_file(given: Given) -> bool:
    return given.value is None and is_prompt_file(given.text)


def _prompt_file(given: Given) -> tuple[Imported, ...]:
    found = import_prompt_file(given.text, name=given.name)
    if found.kind == "structured" or found.preset.template != "urial_v4":
        return (found,)
    # 'User:' alone on a line is URIAL v4's header, and everybody else's too.
    other = import_transcript(given.text, name=given.name)
    return (other if other.kind == "structured" else found,)


def _transcript(given: Given) -> tuple[Imported, ...]:
    return (import_transcript(given.text, name=given.name),)


def _plain(given: Given) -> tuple[Imported, ...]:
    return (import_plain_text(given.text, name=given.name),)
