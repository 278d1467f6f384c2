"""mikupad's instruct templates: JSON ``{name: {sysPre, sysSuf, instPre, instSuf}}``, line breaks escaped.

Source: lmg-anon/mikupad. What is written behind an answer opens the next instruction there, as in ChatML's
``instPre``, which begins with ``<|im_end|>``; such a text is made a stop.
"""

from __future__ import annotations

from collections.abc import Mapping

from playground.imports.result import Imported, PresetImportError, make_name, unused
from playground.presets.preset import Preset, PresetTemplate

KEYS = ("sysPre", "sysSuf", "instPre", "instSuf")


def is_template(value: object) -> bool:
    """Whether a JSON value is one template of mikupad's."""
    return isinstance(value, Mapping) and isinstance(value.get("instPre"), str)


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
        texts[key] = text.replace("\\n", "\n").replace("\\t", "\t")
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
