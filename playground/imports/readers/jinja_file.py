"""Chat templates in Jinja: a ``.jinja`` file, or the ``chat_template`` of a tokenizer's configuration.

Source: Hugging Face's ``tokenizer_config.json`` and ``chat_template.jinja``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from playground.imports.given import Given
from playground.imports.result import Imported, PresetImportError
from playground.imports.webui import import_template

_LAID_OUT = re.compile(r"^(?:[ \t]+)?\{[%{].*\n[ \t]*\{[%{]", re.MULTILINE)
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
    notes: tuple[str, ...] = ()
    try:
        found = import_template({"instruction_template": source}, name=given.name)
    except PresetImportError:
        if not _LAID_OUT.search(source):
            raise
        # Published for people to read; chujiezheng/chat_templates says to remove this white space.
        flat = re.sub(r"\n[ \t]*", "", source)
        found = import_template({"instruction_template": flat}, name=given.name)
        notes = ("It is laid out over indented lines, whose white space was removed.",)
    return (Imported(found.preset, "jinja", found.kind, (*notes, *found.notes), found.normalised),)


def _in_json(value: Mapping[object, object]) -> str | None:
    given = value.get("chat_template")
    if isinstance(given, list):  # several by name
        named = {t.get("name"): t.get("template") for t in given if isinstance(t, Mapping)}
        given = named.get("default", next(iter(named.values()), None))
    return given if isinstance(given, str) and "messages" in given else None
