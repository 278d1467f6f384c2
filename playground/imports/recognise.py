"""Any text that may hold a prompt, to presets: the format is told by the content, never by the file's name.

Total: a text gives presets or a ``PresetError`` with one sentence, whatever it holds. The formats are a table
in ``formats``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from playground.errors import PresetError
from playground.imports.formats import formats
from playground.imports.given import Given
from playground.imports.result import Imported, PresetImportError
from playground.presets.link import FRAGMENT, decode_link
from playground.presets.preset import MAX_BYTES, Preset
from playground.presets.yaml_text import YamlText, read_yaml


def import_text(
    text: str, *, name: str, source: str = "the text", folder: Path | None = None
) -> tuple[Imported, ...]:
    """The presets in a text; most formats hold one.

    Args:
        text: What was opened, pasted or fetched.
        name: A wish for the name, such as the file's, where the content has none.
        source: What to call it in an error; an ending such as ``.yaml`` helps with what is damaged.
        folder: Where other files lie that the text names, if the user named a file on this computer.

    Raises:
        PresetError: It holds nothing that a preset could be made of; says why, with line and column where
            the format has them.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise PresetError(f"{source} is larger than {MAX_BYTES // 1_000_000} MB; import a part of it.")
    if not text.strip().strip("\ufeff"):
        raise PresetImportError(f"{source} is empty; choose {_choices()}.")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise PresetImportError(
            f"{source} holds a NUL character (line {line}) and is no text; choose {_choices()}."
        )
    try:
        return _imported(text, name=name, source=source, folder=folder)
    except RecursionError as error:
        raise PresetImportError(f"{source} is nested too deeply.") from error
    except ValueError as error:  # pydantic's, where a text has what no preset takes
        raise PresetImportError(f"{source} cannot be made a preset: {_sentence(error)}.") from error


def _choices() -> str:
    """What can be imported, as part of a sentence."""
    *titles, last = (format_.title for format_ in formats())
    return f"{', '.join(titles)} or {last}"


def _imported(text: str, *, name: str, source: str, folder: Path | None) -> tuple[Imported, ...]:
    plain = text.lstrip("\ufeff").strip()
    if FRAGMENT in plain[:2_000] and "\n" not in plain:
        return (Imported(decode_link(plain), "link", "structured"),)
    if plain[:200].lower().startswith(("<!doctype html", "<html")):
        raise PresetImportError(f"{source} is a web page; give the address of the file itself (often 'raw').")
    given = replace(_given(text, name=name, source=source), folder=folder)
    return next(format_.read(given) for format_ in formats() if format_.fits(given))


def _given(text: str, *, name: str, source: str) -> Given:
    """The text with its value, where it is JSON or YAML of a known kind.

    Raises:
        PresetError: It is broken JSON or YAML, or YAML of no known kind.
    """
    plain = text.lstrip("\ufeff").strip()
    if plain.startswith(("{", "[")):
        value = _json(plain, source)
        if value is not None:
            return Given(plain, name, source, value)
    else:
        read = _yaml(text.lstrip("\ufeff"), source)
        if read is not None:
            given = Given(text, name, source, read.value, read)
            if any(format_.fits(given) for format_ in formats()):
                return given
            if source.lower().endswith((".yaml", ".yml")):
                if text.lstrip("\ufeff").startswith(("schema:", "name:")):
                    Preset.checked(read.value, source=source, places=read)  # names the key that is unknown
                raise PresetImportError(f"{source} is YAML of no known kind; choose {_choices()}.")
    return Given(text, name, source)


def _json(text: str, source: str) -> object:
    """The value of a JSON text, or None for lines of JSON and for prose.

    Raises:
        PresetImportError: It begins like JSON and is not; with line and column.
    """
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        first = text.split("\n", 1)[0].strip()
        lines = error.msg == "Extra data" and first.startswith(("{", "["))
        template = first.startswith(("{%", "{{", "{#"))
        rows = _has_good_line(text) or (text.startswith("[") and "}," in text)
        if lines or rows or template:
            return None  # each line or item is checked by itself
        if source.lower().endswith((".json", ".jsonl")) or '"' in first[:200]:
            where = f"line {error.lineno}, column {error.colno}"
            raise PresetImportError(f"{source} is not valid JSON: {where}: {error.msg}.") from error
        return None  # a text that happens to begin with a bracket
    return value


def _has_good_line(text: str) -> bool:
    """Whether one of the first lines is an object of JSON by itself."""
    for line in text.split("\n")[:50]:
        try:
            if isinstance(json.loads(line), dict):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def _yaml(text: str, source: str) -> YamlText | None:
    """A YAML text of keys; None for another text.

    Raises:
        PresetError: It is damaged, and by its name or first line is meant to be YAML.
    """
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
    return read if isinstance(read.value, Mapping) or is_file else None


def _sentence(error: ValueError) -> str:
    lines = str(error).split("\n")
    return " ".join((lines[2] if len(lines) > 2 else lines[0]).split())[:200]
