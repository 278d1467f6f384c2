"""Any text that may hold a prompt, to presets: the format is told by the content, never by the file's name.

Total: a text gives presets or a ``PresetError`` with one sentence, whatever it holds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping

from playground.errors import PresetError
from playground.imports import mikupad, sillytavern, webui
from playground.imports.result import Imported, PresetImportError
from playground.imports.rows import MAX_ROWS, import_rows
from playground.imports.samplers import is_sampler
from playground.imports.transcript import import_plain_text, import_transcript, is_transcript
from playground.imports.urial import import_prompt_file, is_prompt_file
from playground.presets.link import FRAGMENT, decode_link
from playground.presets.preset import MAX_BYTES, Preset
from playground.presets.yaml_text import YamlText, read_yaml

_COLUMNS = {
    *("query", "question", "instruction", "prompt", "input", "user_input", "user"),
    *("answer", "output", "response", "completion", "reference", "target", "assistant", "completion_a"),
}
_OURS = ("schema", "template", "system", "examples", "prefix", "sampling", "title", "description")
_FORMATS = (
    "a preset of this program, a URIAL or BaseChat prompt file, a transcript, mikupad's, SillyTavern's or "
    "text-generation-webui's templates, or rows of messages, ShareGPT or Alpaca"
)


def import_text(text: str, *, name: str, source: str = "the text") -> tuple[Imported, ...]:
    """The presets in a text; most formats hold one.

    Args:
        text: What was opened, pasted or fetched.
        name: A wish for the name, such as the file's, where the content has none.
        source: What to call it in an error; an ending such as ``.yaml`` helps with what is damaged.

    Raises:
        PresetError: It holds nothing that a preset could be made of; says why, with line and column where
            the format has them.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise PresetError(f"{source} is larger than {MAX_BYTES // 1_000_000} MB; import a part of it.")
    if not text.strip().strip("\ufeff"):
        raise PresetImportError(f"{source} is empty; choose {_FORMATS}.")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise PresetImportError(
            f"{source} holds a NUL character (line {line}) and is no text; choose {_FORMATS}."
        )
    try:
        return _imported(text, name=name, source=source)
    except RecursionError as error:
        raise PresetImportError(f"{source} is nested too deeply.") from error
    except ValueError as error:  # pydantic's, where a text has what no preset takes
        raise PresetImportError(f"{source} cannot be made a preset: {_sentence(error)}.") from error


def _imported(text: str, *, name: str, source: str) -> tuple[Imported, ...]:
    plain = text.lstrip("\ufeff").strip()
    if FRAGMENT in plain[:2_000] and "\n" not in plain:
        return (Imported(decode_link(plain), "link", "structured"),)
    if plain[:200].lower().startswith(("<!doctype html", "<html")):
        raise PresetImportError(f"{source} is a web page; give the address of the file itself (often 'raw').")
    if plain.startswith(("{", "[")) and _is_json(plain, source):
        return _from_json(plain, name=name, source=source)
    if _has_columns(plain):
        return (import_rows(plain, name=name, source=source),)
    from_yaml = _from_yaml(text.lstrip("\ufeff"), name=name, source=source)
    if from_yaml is not None:
        return (from_yaml,)
    if is_prompt_file(text):
        found = import_prompt_file(text, name=name)
        if found.kind == "structured" or found.preset.template != "urial_v4":
            return (found,)
        # 'User:' alone on a line is URIAL v4's header, and everybody else's too.
        other = import_transcript(text, name=name)
        return (other if other.kind == "structured" else found,)
    if is_transcript(text):
        return (import_transcript(text, name=name),)
    return (import_plain_text(text, name=name),)


def _is_json(text: str, source: str) -> bool:
    """Whether it is JSON or lines of it.

    Raises:
        PresetImportError: It begins like JSON and is not; with line and column.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        first = text.split("\n", 1)[0].strip()
        if error.msg == "Extra data" and first.startswith("{"):
            return True  # JSON lines, of which each is checked by itself
        if source.lower().endswith((".json", ".jsonl")) or '"' in first[:200] or text.startswith("[{"):
            where = f"line {error.lineno}, column {error.colno}"
            raise PresetImportError(f"{source} is not valid JSON: {where}: {error.msg}.") from error
        return False  # a text that happens to begin with a bracket
    return True


def _from_json(text: str, *, name: str, source: str) -> tuple[Imported, ...]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if isinstance(value, list) and len(value) > MAX_ROWS:
        raise PresetImportError(f"{source} has {len(value):,} rows; import at most {MAX_ROWS:,} of them.")
    if isinstance(value, Mapping):
        known = _from_mapping(value, name=name, source=source, places=None)
        if known is not None:
            return (known,)
        if mikupad.is_template(value):
            return mikupad.import_templates(value, name=name)
        if value and all(mikupad.is_template(template) for template in value.values()):
            return mikupad.import_templates(value, name=name)
    return (import_rows(text, name=name, source=source),)


def _from_yaml(text: str, *, name: str, source: str) -> Imported | None:
    is_file = source.lower().endswith((".yaml", ".yml"))
    ours = text.startswith(("schema:", "name:"))
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    if ":" not in first and not is_file:
        return None
    try:
        read = read_yaml(text, source=source)
    except PresetError:
        if is_file or ours:
            raise
        return None
    if isinstance(read.value, dict):
        found = _from_mapping(read.value, name=name, source=source, places=read)
        if found is not None:
            return found
        if is_file and ours:  # with a key that there is not, which the error names
            return Imported(Preset.checked(read.value, source=source, places=read), "preset", "structured")
    if is_file:
        raise PresetImportError(f"{source} is YAML of no known kind; choose {_FORMATS}.")
    return None


def _from_mapping(
    value: Mapping[object, object], *, name: str, source: str, places: YamlText | None
) -> Imported | None:
    if webui.is_template(value):
        return webui.import_template(value, name=name)
    if sillytavern.is_whole(value) or sillytavern.is_instruct(value) or sillytavern.is_context(value):
        return sillytavern.import_sillytavern(value, name=name)
    if isinstance(value.get("name"), str) and any(key in value for key in _OURS):
        kept = {key: item for key, item in value.items() if key != "content_hash"}
        return Imported(Preset.checked(kept, source=source, places=places), "preset", "structured")
    if "schema" in value:
        return Imported(Preset.checked(value, source=source, places=places), "preset", "structured")
    if is_sampler(value):
        return webui.import_sampler(value, name=name)
    return None


def _has_columns(text: str) -> bool:
    try:
        head = next(csv.reader([text.split("\n", 1)[0][:10_000]]), [])
    except csv.Error:
        return False
    names = {column.strip().lower() for column in head}
    return len(head) > 1 and len(names & _COLUMNS) >= 2


def _sentence(error: ValueError) -> str:
    lines = str(error).split("\n")
    return " ".join((lines[2] if len(lines) > 2 else lines[0]).split())[:200]
