"""Twenty conversations that chat templates are tried with; each message holds a word to be found by.

They cover what goes wrong in practice: system texts, blanks at edges, empty messages, texts that look like
control tokens, past thinking, one to six turns, other scripts, and roles that do not alternate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.types import Message, Role

_WORDS = (
    "amber",
    "birch",
    "cedar",
    "daisy",
    "ember",
    "fern",
    "gorse",
    "hazel",
    "iris",
    "kelp",
    "larch",
    "maple",
)
_ROLES: dict[str, Role] = {"s": "system", "u": "user", "a": "assistant"}


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation, and for each message the word that it can be found by; empty for a blank message."""

    name: str
    messages: tuple[Message, ...]
    words: tuple[str, ...]


def talks(control_texts: Sequence[str]) -> tuple[Talk, ...]:
    """The conversations.

    Args:
        control_texts: Texts that would be control tokens if they were parsed as such.
    """
    told = " ".join(control_texts)
    tight = "".join(control_texts)
    ends = control_texts[0] if control_texts else ""
    thought = "<think>\nFirst I look at it.\n\nThen I answer.\n</think>\n\n"
    return (
        _talk("one question", "u What is @?"),
        _talk("a system text", "s Be like @.", "u What is @?"),
        _talk("two turns", "u Is it @?", "a It is @.", "u And @?"),
        _talk("a system text and three turns", "s Speak of @.", "u @?", "a @.", "u @?", "a @!", "u @, then?"),
        _talk("six turns", *["u Tell me of @.", "a This is @."] * 5, "u And at last @?"),
        _talk("a finished conversation", "u Is it @?", "a It is @."),
        _talk("blanks at the edges", "s \n @ \n", "u \n\t@\n\n", "a \n @.\n", "u  @ "),
        _talk("empty answers", "u @?", "a ", "u @, now?"),
        _talk("empty texts", "s ", "u ", "a @", "u @?"),
        _talk("blanks alone", "u \n \n", "a @", "u @?"),
        _talk("control tokens asked", f"u {told} @ {told}"),
        _talk("control tokens in the system text", f"s {tight}@{tight}", "u @?"),
        _talk("control tokens answered", "u @?", f"a {tight} @ {ends}", f"u {ends}@"),
        _talk("control tokens at the edges", f"u \n{ends}\n@", f"a {ends} \n@\n{ends}", f"u {ends} @\n"),
        _talk("past thinking", "u @?", f"a {thought}It is @.", "u Why @?"),
        _talk(
            "two past thoughts",
            "s Think of @.",
            "u @?",
            f"a {thought}{ends}@",
            "u @?",
            f"a {thought}@",
            "u @",
        ),
        _talk(
            "other scripts", "s 你是@助手。", "u 日本的首都是哪里 @？", "a 东京 @ 🗼。", "u Grüße @ 👩‍👩‍👧 ß"
        ),
        _talk("code", 'u {{ 7 * 7 }} "@" \\n {% raw %}', "a ```python\nprint('@')\n```", "u <b>@</b> & {}"),
        _talk("two questions in a row", "u First @.", "u Then @.", "a @!", "u @?"),
        _talk("an answer first", "s Be @.", "a I am @.", "u And @?"),
    )


def _talk(name: str, *lines: str) -> Talk:
    messages: list[Message] = []
    words: list[str] = []
    for number, line in enumerate(lines):
        text = line[2:]
        word = _WORDS[number]
        messages.append(Message(_ROLES[line[0]], text.replace("@", word)))
        words.append(word if "@" in text else "")
    return Talk(name, tuple(messages), tuple(words))
