"""Character cards V1 to V3, as JSON or inside a PNG file.

Sources: the specifications ``chara_card_v2`` (malfoyslastname/character-card-spec-v2) and ``chara_card_v3``
(kwaroran/character-card-spec-v3); oobabooga/text-generation-webui ``user_data/characters``.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Mapping

from playground.imports.given import Given
from playground.imports.macros import USER, resolve
from playground.imports.result import Imported, make_name, preset_examples, unused
from playground.presets.preset import Preset, PresetTemplate
from playground.types import Example

PNG = b"\x89PNG\r\n\x1a\n"
_V1 = ("description", "personality", "scenario", "first_mes", "mes_example")
_USED = {
    *_V1,
    "name",
    "system_prompt",
    "tags",
    "creator",
    "creator_notes",
    "spec",
    "spec_version",
    "nickname",
}
_START = re.compile(r"<START>", re.IGNORECASE)


def is_card(given: Given) -> bool:
    """Whether it is a character card of any version."""
    value = given.mapping
    if str(value.get("spec", "")).startswith("chara_card_v"):
        return isinstance(value.get("data"), Mapping)
    if "greeting" in value and isinstance(value.get("context"), str):
        return isinstance(value.get("name"), str)  # text-generation-webui's
    return isinstance(value.get("name"), str) and sum(isinstance(value.get(key), str) for key in _V1) >= 3


def read_card(given: Given) -> tuple[Imported, ...]:
    """The preset of a character: who it is as the system text, its example talks as examples."""
    value = given.mapping
    data = value.get("data") if isinstance(value.get("data"), Mapping) else value
    assert isinstance(data, Mapping)
    if "greeting" in data:
        data = _of_webui(data)
    notes: list[str] = []
    char = _text(data, "nickname") or _text(data, "name") or "Character"

    def told(key: str) -> str:
        return resolve(_text(data, key), key, notes, char=char).strip()

    parts = [told("system_prompt"), told("description")]
    if personality := told("personality"):
        parts.append(f"{char}'s personality: {personality}")
    if scenario := told("scenario"):
        parts.append(f"Scenario: {scenario}")
    examples = _examples(told("mes_example"), char)
    if _text(data, "first_mes").strip():
        notes.append("The character's first message has no place in a preset: here the user speaks first.")
    ignored = [str(k) for k, v in data.items() if k not in _USED and v not in ("", None, [], {}, False)]
    unused(ignored, notes, of="the card")
    tags = data.get("tags")
    preset = Preset(
        name=make_name(_text(data, "name") or given.name, notes),
        title=_text(data, "name")[:200],
        description=_text(data, "creator_notes")[:4_000],
        author=_text(data, "creator"),
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        system="\n".join(part for part in parts if part),
        template=PresetTemplate(
            name="character",
            turn=f"{USER}: {{query}}\n{_literal(char)}:{{answer}}\n",
            lead=" ",
            separator="",
        ),
        examples=preset_examples(examples, notes),
    )
    return (Imported(preset, "card", "structured", tuple(dict.fromkeys(notes))),)


def _of_webui(value: Mapping[object, object]) -> dict[object, object]:
    """A character of text-generation-webui's: talk at the end of its context is example talk."""
    context = _text(value, "context")
    talk = re.search(r"^(?:<START>|\{\{user\}\}:|\{\{char\}\}:)", context, re.MULTILINE)
    at = talk.start() if talk else len(context)
    return {
        "name": value.get("name"),
        "description": context[:at].rstrip(),
        "mes_example": context[at:] + _text(value, "example_dialogue"),
        "first_mes": value.get("greeting"),
    }


def card_in_png(content: bytes) -> bytes | None:
    """The JSON of the card inside a PNG file; None where there is none."""
    found: dict[bytes, bytes] = {}
    at = len(PNG)
    while at + 8 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if kind == b"tEXt":
            key, _, text = body.partition(b"\0")
            found.setdefault(key.lower(), text)
        at += 12 + length
    packed = found.get(b"ccv3", found.get(b"chara"))
    if packed is None:
        return None
    try:
        return base64.b64decode(packed, validate=False)
    except (binascii.Error, ValueError):
        return None


def _examples(text: str, char: str) -> tuple[Example, ...]:
    """Turns of the example talks; each line that starts with a name starts a message."""
    found: list[Example] = []
    heads = re.compile(rf"^({re.escape(USER)}|{re.escape(char)}):[ \t]*", re.MULTILINE)
    for talk in _START.split(text):
        query = ""
        pieces = heads.split(talk)
        for who, said in zip(pieces[1::2], pieces[2::2], strict=True):
            said = said.strip()
            if who == USER:
                query = f"{query}\n{said}".strip()
            elif query:
                found.append(Example(query, said))
                query = ""
            elif found:
                found[-1] = Example(found[-1].query, f"{found[-1].answer}\n{said}")
    return tuple(found)


def _literal(name: str) -> str:
    """A name as part of a turn pattern, which no brace of it may be a field of."""
    return name.replace("{", "(").replace("}", ")").replace("\n", " ")


def _text(data: Mapping[object, object], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
