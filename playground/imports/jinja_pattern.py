"""A chat template in Jinja, read as one turn pattern: rendered with marks, and cut where the marks are.

Only a template that writes every turn alike has a pattern; another one is refused with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playground.imports.result import PresetImportError

WALL_S = 5.0
"""Longest a render may take; on POSIX a limit of one second of CPU ends it earlier."""
_MARK = re.compile("\ue000([a-z][0-9])\ue001")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a chat template writes around messages; ``default_system`` is a text of its own, if it has one."""

    before_system: str
    after_system: str
    before_query: str
    between: str
    after_answer: str
    lead: str = ""
    default_system: str = ""
    takes_system: bool = True


def pattern_of(source: str) -> Pattern:
    """The turn pattern of a chat template.

    Raises:
        PresetImportError: It fails, takes too long, or does not write its turns alike.
    """
    talk = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3")]
    plain, closed, told = _rendered(source, [talk, talk[:2], [("system", "s1"), *talk]])
    if plain is None or closed is None:
        raise PresetImportError("It refuses a conversation of two turns.")
    pieces = _cut(plain, ["q1", "a1", "q2", "a2", "q3"])
    ends = _cut(closed, ["q1", "a1"])
    first, between, gap, between_again, gap_again, opened = pieces
    if between != between_again or gap != gap_again:
        raise PresetImportError("Its turns are not written alike, so that no turn pattern holds them.")
    lead = between[len(between.rstrip(" ")) :]
    if opened.rstrip(" ") != between.rstrip(" "):
        raise PresetImportError(
            "It opens the assistant's turn otherwise than it writes a finished one; no turn pattern does."
        )
    after = ends[2]
    if not gap.startswith(after):
        after = ""
    before = gap[len(after) :]
    if not before and not between.strip():
        raise PresetImportError("It writes nothing between messages, so that they cannot be told apart.")
    around, default, takes = _system(told, before, first)
    return Pattern(*around, before, between.rstrip(" "), after, lead, default, takes)


def _system(told: str | None, before: str, first: str) -> tuple[tuple[str, str], str, bool]:
    """What is written around a system text, the template's own system text, and whether it takes one."""
    none = ("", "\n"), first.removesuffix(before).removesuffix("\n"), False
    if told is None or _MARK.findall(told) != ["s1", "q1", "a1", "q2", "a2", "q3"]:
        return none
    head, _, rest, *_ = _MARK.split(told)
    if before and not rest.endswith(before):
        return none
    around = head, rest.removesuffix(before) if before else rest
    own = first.removesuffix(before) if before else first
    if own.startswith(around[0]) and own.endswith(around[1]) and len(own) > len(around[0]) + len(around[1]):
        return around, own[len(around[0]) : len(own) - len(around[1])], True
    return around, "", True


def _cut(text: str, marks: list[str]) -> list[str]:
    """The texts around the marks, which must all be there once and in order."""
    if _MARK.findall(text) != marks:
        raise PresetImportError("It leaves messages out, repeats or reorders them; no turn pattern does.")
    return _MARK.split(text)[0::2]


def _rendered(source: str, talks: list[list[tuple[str, str]]]) -> list[str | None]:
    if "messages" not in source:
        raise PresetImportError("The chat template never looks at the messages.")
    asked = {
        "source": source,
        "conversations": [
            [{"role": role, "content": f"\ue000{mark}\ue001"} for role, mark in talk] for talk in talks
        ],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__).with_name("jinja_child.py"))],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=WALL_S,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {"error": "it takes too long"}
    except subprocess.TimeoutExpired:
        answer = {"error": "it takes too long"}
    except ValueError:
        answer = {"error": "it writes no text"}
    if "error" in answer:
        raise PresetImportError(f"The chat template cannot be rendered: {str(answer['error']).rstrip('.')}.")
    return [None if text is None else str(text) for text in answer["texts"]]
