"""Single values of a row as text: answers of any type, messages inside a cell, texts that must be there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from playground.datasets.talks import content_text, is_talk


def answer_text(value: object) -> tuple[str, tuple[str, ...]]:
    """An answer as text, and what was not kept of it: numbers and booleans as JSON writes them."""
    if value is None:
        return "", ()
    if isinstance(value, str):
        return value, ()
    if isinstance(value, bool):
        return ("true" if value else "false"), ()
    if isinstance(value, float):
        return (
            ""
            if math.isnan(value)
            else str(int(value))
            if value.is_integer() and abs(value) < 1e15
            else str(value)
        ), ()
    if isinstance(value, int):
        return str(value), ()
    if isinstance(value, Mapping):
        for key in ("text", "value", "content", "answer"):
            if key in value:
                return answer_text(value[key])
        return json.dumps(value, ensure_ascii=False, default=str), ()
    if isinstance(value, (list, tuple)):
        if is_talk(value):
            talk_texts = [content_text(turn.get("content", turn.get("value")), {}) or "" for turn in value]
            return "\n\n".join(talk_texts), ()
        texts = [text for text in (answer_text(item)[0] for item in value) if text.strip()]
        more = f"{len(texts) - 1} of its {len(texts)} answers are left out; the first one counts"
        return (texts[0] if texts else ""), ((more,) if len(texts) > 1 else ())
    return str(value), ()


def parsed_cell(value: object) -> object:
    """A cell of a table that holds a list of messages as JSON, as that list."""
    if isinstance(value, str) and value[:2] in ("[{", "[ ") and '"' in value[:40]:
        try:
            loaded = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return loaded if is_talk(loaded) else value
    return value


def trimmed(answers: Sequence[str]) -> tuple[str, ...]:
    """Answers without empty ones at the end."""
    kept = list(answers)
    while kept and not kept[-1].strip():
        kept.pop()
    return tuple(kept)


def required_text(value: object, key: str) -> str:
    """A text that is not blank.

    Raises:
        ValueError: It is blank, or no text.
    """
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is {value!r:.40} and should be a text")
    if not value.strip():
        raise ValueError(f"'{key}' is empty")
    return value


def joined_pairs(text: str) -> str:
    """Two halves of a surrogate pair beside each other as the character that they are."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
