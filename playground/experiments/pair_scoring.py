"""Whether a reply of a bundled pair is right and in style; strict, as a lenient check once passed nonsense.

Knows texts only: no engine, no prompt. A reply is right when it holds the value that was asked for and names
the entity, holds no other value of the same relation, and is no longer than a reply needs to be; "Peach is in
Europe. Its color is orange." holds a value and is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playground.presets.preset import Preset

_SPACE_ASIDE = 2.2
"""A reply's body may be this many times as long as the longest known way to say it, plus some slack."""
_SLACK_CHARS = 24


@dataclass(frozen=True, slots=True)
class Expected:
    """What a right reply to one question holds.

    Attributes:
        question: What is asked.
        relation: Which column of the world it is about; empty for a question outside the world.
        entity: Must be named, unless the reply is bare; empty where naming it is not asked for.
        values: All must occur.
        sentences: True ways to say it; what they hold is never counted against a reply.
    """

    question: str
    relation: str = ""
    entity: str = ""
    values: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyStyle:
    """How a preset's replies look, read off its examples: what they all begin and end with.

    Attributes:
        opening: Common beginning, up to a boundary between words.
        closing: Common end, from such a boundary.
        bullet: What every line between them begins with, where the examples are lists.
        bare: The examples give a value and nothing else.
        chinese: The examples are in Chinese.
    """

    opening: str = ""
    closing: str = ""
    bullet: str = ""
    bare: bool = False
    chinese: bool = False

    def body(self, reply: str) -> str:
        """The reply without its opening and closing, as far as they are there."""
        text = reply.strip().removeprefix(self.opening)
        return text.removesuffix(self.closing).strip()

    def followed(self, reply: str, expected: Expected) -> bool:
        """Whether a reply is in this style, right or wrong."""
        text = reply.strip()
        if len(text) < len(self.opening) + len(self.closing):
            return False
        if not text.startswith(self.opening) or not text.endswith(self.closing):
            return False
        body = self.body(text)
        if not body:
            return False
        if self.bullet:
            return all(line.startswith(self.bullet.strip()) for line in body.splitlines())
        if self.bare:
            short = "\n" not in body and len(body.split()) <= 14
            return short and not (expected.entity and _holds(body, expected.entity))
        if self.chinese:
            return any("一" <= character <= "鿿" for character in body)
        return "\n" not in body or bool(len(expected.values) > 1)


def style_of(preset: Preset) -> ReplyStyle:
    """The style that a preset's enabled examples share."""
    answers = [example.answer.strip() for example in preset.turn_examples() if example.enabled]
    if len(answers) < 2:
        return ReplyStyle()
    chinese = all(any("一" <= character <= "鿿" for character in answer) for answer in answers)
    opening = _whole_words(_shared_start(answers), at_end=True)
    closing = _shared_start([answer[::-1] for answer in answers])[::-1]
    closing = _whole_words(closing, at_end=False)
    middles = [answer[len(opening) : len(answer) - len(closing)].strip() for answer in answers]
    lines = [line for middle in middles for line in middle.splitlines()]
    bullet = "- " if "\n" in answers[0] and all(line.startswith("- ") for line in lines) else ""
    bare = not opening and not closing and all(len(answer.split()) <= 3 for answer in answers) and not chinese
    return ReplyStyle(opening, closing, bullet, bare, chinese)


def _shared_start(texts: Sequence[str]) -> str:
    """The longest text that all of them begin with."""
    shortest = min(texts, key=len)
    for i, character in enumerate(shortest):
        if any(text[i] != character for text in texts):
            return shortest[:i]
    return shortest


def _whole_words(text: str, *, at_end: bool) -> str:
    """A common beginning or end without the piece of a word, or bullet, that happens to be shared."""
    marks = "!?.,:;！？。，：；\n"
    places = [i for i, character in enumerate(text) if character in marks]
    if not places:
        return ""
    if at_end:
        return text[: places[-1] + 1]
    start = places[0]
    # A comma or full stop that ends the body belongs to the closing only where more follows it.
    tail = text[start:]
    if tail.strip(marks) == "":
        return ""
    return tail if tail[0] in ",，\n" else tail[1:].lstrip(" ")


def is_right(reply: str, expected: Expected, style: ReplyStyle, rivals: Mapping[str, Sequence[str]]) -> bool:
    """Whether a reply gives the right answer and nothing that contradicts it.

    Args:
        reply: As the engine gave it.
        expected: What was asked.
        style: How replies are written, so that the body can be told from greeting and closing.
        rivals: Every value of each relation.
    """
    body = style.body(reply)
    said = _plain(body)
    if not all(_holds(body, value) for value in expected.values):
        return False
    if style.bare:
        return said.strip(".!。 ") == _plain(expected.values[0]) if len(expected.values) == 1 else True
    if expected.entity and not _holds(body, expected.entity):
        return False
    known = max((len(sentence) for sentence in expected.sentences), default=0)
    if known and len(said) > known * _SPACE_ASIDE + _SLACK_CHARS:
        return False
    whole = style.bullet or len(expected.values) > 1
    if not whole and _full_stops(body) > max(map(_full_stops, expected.sentences), default=0):
        return False  # "8 plus 5 is 13. The assistant answers questions."
    own = " ".join([*expected.sentences, expected.entity, *expected.values])
    return not any(
        _holds(body, rival) and not _holds(own, rival) for rival in rivals.get(expected.relation, ())
    )


def holds_answer(text: str, expected: Expected) -> bool:
    """Whether the value occurs anywhere; the lenient test for a continuation that should not answer."""
    return all(_holds(text, value) for value in expected.values)


def says_unknown(reply: str, phrases: Sequence[str]) -> bool:
    """Whether a reply says that it does not know."""
    text = _plain(reply)
    return any(_plain(phrase) in text for phrase in phrases)


def _full_stops(text: str) -> int:
    """How many sentences end with another one behind them."""
    return len(re.findall(r"[.!?](?=\s+\S)|[。！？](?=\S)", text.strip()))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("o'", "of")).strip().lower()


def _holds(text: str, part: str) -> bool:
    """Whether ``part`` occurs in ``text`` as whole words, whatever the case."""
    wanted = _plain(part)
    edge = r"(?<![a-z0-9]){}(?![a-z0-9])"
    return re.search(edge.format(re.escape(wanted)), _plain(text)) is not None
