"""Chat templates in Jinja: a ``.jinja`` file, or the ``chat_template`` of a tokenizer's configuration.

Source: Hugging Face's ``tokenizer_config.json`` and ``chat_template.jinja``.
"""

from __future__ import annotations

from collections.abc import Mapping

from playground.imports.given import Given
from playground.imports.result import Imported
from playground.imports.webui import import_template

_ENDINGS = (".jinja", ".jinja2", ".j2")


def is_template(given: Given) -> bool:
    """Whether it is a chat template, or a file of JSON with one in it."""
    if _in_json(given.mapping) is not None:
        return True
    marked = "{%" in given.text and "messages" in given.text and given.places is None
    starts = given.text.lstrip().startswith(("{%", "{{", "{#"))
    return not given.mapping and marked and (starts or given.source.lower().endswith(_ENDINGS))


def read_template(given: Given) -> tuple[Imported, ...]:
    """The preset of a chat template.

    Raises:
        PresetImportError: It cannot be rendered, or has no one turn pattern.
    """
    source = _in_json(given.mapping) or given.text
    found = import_template({"instruction_template": source}, name=given.name)
    return (Imported(found.preset, "jinja", found.kind, found.notes, found.normalised),)


def _in_json(value: Mapping[object, object]) -> str | None:
    given = value.get("chat_template")
    if isinstance(given, list):  # several by name
        named = {t.get("name"): t.get("template") for t in given if isinstance(t, Mapping)}
        given = named.get("default", next(iter(named.values()), None))
    return given if isinstance(given, str) and "messages" in given else None
