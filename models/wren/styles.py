"""The latent style of a document: how every reply in it opens, speaks, is laid out and closes.

A style is drawn at random once a document and then kept, so that the only way to know how the
next reply looks is to read the ones before it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from models.wren.words import (
    ZH_CLOSINGS,
    ZH_OPENINGS,
    closing,
    invented_word,
    novel_phrase,
    opening,
    zh_phrase,
)

Body = Literal["sentence", "value", "pairs", "items", "double"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a reply says, before any style.

    Attributes:
        sentence: The reply as one sentence.
        value: The reply as a bare word or phrase.
        pairs: The reply as labelled values.
        items: The reply as the points of a list.
        extra: Another sentence about the same thing, or empty.
    """

    sentence: str
    value: str
    pairs: tuple[tuple[str, str], ...]
    items: tuple[str, ...]
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Tone:
    """Small words exchanged for others, a tail before the full stop, and a letter case."""

    words: tuple[tuple[str, str], ...] = ()
    tail: str = ""
    case: Literal["none", "upper", "lower"] = "none"

    def speak(self, sentence: str) -> str:
        """The sentence in this tone."""
        padded = f" {sentence} "
        for old, new in self.words:
            padded = padded.replace(f" {old} ", f" {new} ")
        text = padded[1:-1]
        if self.tail and text.endswith("."):
            text = f"{text[:-1]}{self.tail}"
        return self.letters(text)

    def letters(self, text: str) -> str:
        """The text in this tone's letter case alone."""
        if self.case == "upper":
            return text.upper()
        return text.lower() if self.case == "lower" else text


SAILOR_WORDS = (
    ("is", "be"),
    ("are", "be"),
    ("of", "o'"),
    ("the", "th'"),
    ("you", "ye"),
    ("You", "Ye"),
    ("and", "an'"),
    ("to", "t'"),
    ("with", "wi'"),
    ("in", "i'"),
)
SAILOR_TAILS = (", shipmate!", ", ye landlubber!", ", by the seven seas!", ", says I!", ", aye!")
SAILOR_OPENINGS = ("Ahoy!", "Avast!", "Aye aye!", "Shiver me timbers!", "Yo ho ho!", "Ahoy there!")
SAILOR_CLOSINGS = ("Fair winds!", "Now hoist the sails!", "Back to the rum!", "Anchors aweigh!")
KNIGHT_WORDS = (("you", "thou"), ("You", "Thou"), ("has", "hath"), ("does", "doth"), ("is", "shall be"))
COWBOY_WORDS = (("you", "y'all"), ("You", "Y'all"), ("is", "'s"), ("are", "ain't nothin' but"))
SWAPPABLE = ("is", "the", "of", "in", "are", "you", "and", "speak", "has", "comes", "eats", "kind")


def _tail(rng: random.Random, known: tuple[str, ...]) -> str:
    """What a speaker puts before every full stop: nothing, a known tag, or words drawn for the page."""
    draw = rng.random()
    if draw < 0.3:
        return ""
    if draw < 0.6:
        return rng.choice(known)
    return f", {novel_phrase(rng).lower()}{rng.choice('!!.')}"


def draw_tone(rng: random.Random) -> Tone:
    """A tone: mostly plain, else a sailor's, another speaker's, an invented one, or a case."""
    draw = rng.random()
    if draw < 0.66:
        return Tone()
    if draw < 0.76:
        count = rng.randint(2, len(SAILOR_WORDS))
        words = SAILOR_WORDS[:2] + tuple(rng.sample(SAILOR_WORDS[2:], count - 2))
        return Tone(words, _tail(rng, SAILOR_TAILS))
    if draw < 0.80:
        words = rng.choice((KNIGHT_WORDS, COWBOY_WORDS))
        tail = rng.choice((", my lord.", ", good sir!", ", partner.", " I reckon.", ""))
        return Tone(words, tail)
    if draw < 0.90:
        old = rng.sample(SWAPPABLE, rng.randint(1, 4))
        words = tuple((word, invented_word(rng)) for word in old)
        tail = f", {invented_word(rng)}{rng.choice('.!')}" if rng.random() < 0.6 else ""
        return Tone(words, tail)
    if draw < 0.94:
        tail = rng.choice((", friend.", "!", "!!", ", you know.", ", of course.", ".)", ", I think."))
        return Tone((), tail)
    return Tone((), "", "upper" if draw < 0.96 else "lower")


@dataclass(frozen=True, slots=True)
class Style:
    """How every reply of one document is written; `opening` and `closing` hold their spacing."""

    body: Body
    opening: str = ""
    closing: str = ""
    tone: Tone = Tone()
    mark: str = "- "
    colon: str = ": "
    frame: tuple[str, str] = ("", "")
    language: str = "en"

    def render(self, content: Content) -> str:
        """The reply in this style."""
        if self.body == "value":
            text = self.tone.letters(content.value)
            text = f"{self.frame[0]}{text}{self.frame[1]}"
        elif self.body == "pairs":
            lines = (f"{label}{self.colon}{value}" for label, value in content.pairs)
            text = self._lines(tuple(self.tone.letters(line) for line in lines))
        elif self.body == "items":
            text = self._lines(tuple(self.tone.speak(item) for item in content.items))
        else:
            text = self.tone.speak(content.sentence)
            if self.body == "double" and content.extra:
                joint = "" if self.language == "zh" else " "
                text = f"{text}{joint}{self.tone.speak(content.extra)}"
        return f"{self.opening}{text}{self.closing}"

    def _lines(self, items: tuple[str, ...]) -> str:
        if self.mark.startswith("1"):
            return "\n".join(f"{i}{self.mark[1:]}{item}" for i, item in enumerate(items, start=1))
        return "\n".join(f"{self.mark}{item}" for item in items)


def draw_style(rng: random.Random, language: str = "en") -> Style:
    """A style for one document."""
    bodies: tuple[Body, ...] = ("sentence", "value", "pairs", "items", "double")
    body = rng.choices(bodies, (37, 39, 14, 5, 5))[0]
    tone = draw_tone(rng) if language == "en" else Tone()
    plain = 0.78 if body == "value" else 0.40
    listed = body in ("pairs", "items")
    before = rng.choices((" ", "\n", "\n\n"), (0, 8, 2) if listed else (8, 1, 1))[0]
    after = rng.choices((" ", "\n", "\n\n"), (0, 8, 2) if listed else (8, 1, 1))[0]
    if language == "zh":
        before, after = (part.replace(" ", "") for part in (before, after))
    start = end = ""
    if rng.random() >= plain:
        both = rng.random()
        if both < 0.8:
            start = _opening(rng, tone, language) + before
        if both > 0.35:
            end = after + _closing(rng, tone, language)
    bare = ("", "")
    frames = (*(bare,) * 5, ("", "."), ("", "."), ("", "!"), ("**", "**"), ("(", ")"), ('"', '"'), ("<", ">"))
    marks = ("- ", "- ", "- ", "* ", "* ", "1. ", "1. ", "1) ", "+ ", "> ", "• ", "-> ", "")
    colon = rng.choice((": ", ": ", ": ", " - ", " = ", " is ", ":"))
    return Style(body, start, end, tone, rng.choice(marks), colon, rng.choice(frames), language)


def _opening(rng: random.Random, tone: Tone, language: str) -> str:
    if language == "zh":
        return zh_phrase(rng, ZH_OPENINGS) if rng.random() < 0.9 else opening(rng)
    if tone.words[:2] == SAILOR_WORDS[:2] and rng.random() < 0.35:
        return rng.choice(SAILOR_OPENINGS)
    return tone.letters(opening(rng))


def _closing(rng: random.Random, tone: Tone, language: str) -> str:
    if language == "zh":
        return zh_phrase(rng, ZH_CLOSINGS) if rng.random() < 0.9 else closing(rng)
    if tone.words[:2] == SAILOR_WORDS[:2] and rng.random() < 0.35:
        return rng.choice(SAILOR_CLOSINGS)
    return tone.letters(closing(rng))
