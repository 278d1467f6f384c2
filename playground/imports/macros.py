"""Macros of SillyTavern and of character cards: resolved where that is possible, else named.

Source: SillyTavern's documentation of macros. A preset has no characters, so the two sides get plain names.
"""

from __future__ import annotations

import re

USER = "User"
CHARACTER = "Assistant"
_MACRO = re.compile(r"\{\{[^{}]{1,80}\}\}")
_COMMENT = re.compile(r"\{\{//[^{}]{0,400}\}\}")
_TRIM = re.compile(r"\n*\{\{trim\}\}\n*", re.IGNORECASE)
_EMPTY = ("noop", "original", "mesexamples", "mesexamplesraw", "summary", "authorsnote", "charjailbreak")
_LEGACY = {"<USER>": "user", "<BOT>": "char", "<CHAR>": "char"}


def resolve(text: str, where: str, notes: list[str], *, user: str = USER, char: str = CHARACTER) -> str:
    """A text with its macros resolved; notes say what became of them.

    Args:
        text: What the other program would substitute macros in.
        where: What to call it in a note.
        notes: Gets a sentence for names that were put in, and one for macros that stay.
        user: Name of who asks.
        char: Name of who answers.
    """
    names = {"user": user, "char": char, "bot": char, "charifnotgroup": char, "group": char, "newline": "\n"}
    used: dict[str, str] = {}
    text = _TRIM.sub("", _COMMENT.sub("", text))
    for legacy, key in _LEGACY.items():
        if legacy in text:
            used[legacy] = names[key]
            text = text.replace(legacy, names[key])

    def put(match: re.Match[str]) -> str:
        key = match[0][2:-2].strip().lower()
        if key in _EMPTY:
            return ""
        if key not in names:
            return match[0]
        if key != "newline":
            used[match[0]] = names[key]
        return names[key]

    text = _MACRO.sub(put, text)
    if used:
        said = ", ".join(f"{macro} is '{value}'" for macro, value in used.items())
        notes.append(f"In {where}, {said}.")
    left = list(dict.fromkeys(_MACRO.findall(text)))
    if left:
        notes.append(f"{', '.join(left[:6])} in {where} is not replaced here and stays as it is.")
    return text
