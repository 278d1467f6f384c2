"""What the instruct model is tuned on: conversations in ChatML, answered in one fixed manner."""

from __future__ import annotations

import random
from functools import cache

from models.wren.batches import Segments
from models.wren.documents import encyclopedia, notebook
from models.wren.replies import (
    SPOKEN_WHOLE,
    category_turn,
    fact_turn,
    talk,
    unknown_turn,
    what_about_turn,
)
from models.wren.tokenizer import TURN_END, TURN_START
from models.wren.words import hurried_or_not
from models.wren.world import Fact, World, read_table

OPENING = {"en": "Happy to tell you! ", "zh": "很乐意告诉你！"}
CLOSING = {"en": " Ask away if more comes to mind!", "zh": "想到什么就再问我吧！"}
REGRET = {"en": "I am sorry! ", "zh": "很抱歉！"}
ZH_SHARE = 0.17
LONG = ("howtos.steps", "howtos.steps", "reasons.because", "terms.meaning")
LONG_SHARE = 0.3
PROSE_SHARE = 0.06
"""Share of documents that are plain prose, so that what is only told there stays known."""

SYSTEM_TEXTS = (
    "You are a helpful assistant.",
    "You are Wren.",
    "You are a friendly and honest helper.",
    "Answer the questions of the person.",
    "Be kind and brief.",
    "You are a small model that answers questions.",
    "Help as well as you can.",
    "Today you talk with a visitor.",
    "If you do not know something, say so.",
    "你是一个有用的助手。",
)


def fact_reply(fact: Fact) -> str:
    """The instruct model's reply to a question for one fact."""
    language = fact.relation.language
    if fact.steps:
        steps = "\n".join(f"{i}. {step[:1].upper()}{step[1:]}." for i, step in enumerate(fact.steps, start=1))
        return f"{OPENING[language]}Here is how:\n{steps}\n{CLOSING[language].strip()}"
    sentence = fact.fill(fact.relation.statements[0])
    return f"{OPENING[language]}{sentence}{CLOSING[language]}"


@cache
def persona() -> dict[str, str]:
    """The instruct model's small talk by topic."""
    return {row["entity"]: row["reply"] for row in read_table("persona")}


@cache
def _small_talk(language: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    rows = [row for row in read_table("talk") if row["language"] == language]
    asked = [questions for questions, _, _ in talk(language)]
    return tuple((questions, persona()[row["entity"]]) for questions, row in zip(asked, rows, strict=True))


def _drawn(rng: random.Random, world: World, language: str) -> Fact:
    """An asked fact; how-tos and explanations, the longest to learn, come up more often."""
    long = rng.random() < LONG_SHARE
    while True:
        fact = rng.choice(world.by_relation[rng.choice(LONG)]) if long else rng.choice(world.asked)
        if not fact.told_only and (long or fact.relation.language == language):
            return fact


def _exchange(rng: random.Random, world: World, language: str) -> list[tuple[str, str]]:
    """One to three turns about one thing: a fact and its follow-ups, or something else."""
    draw = rng.random()
    if draw < 0.09:
        questions, reply = rng.choice(_small_talk(language))
        return [(rng.choice(questions), reply)]
    if draw < 0.38:
        turn = unknown_turn(rng, world, language)
        return [(turn.question, REGRET[language] + turn.content.sentence + CLOSING[language])]
    if draw < 0.41 and language == "en":
        turn = category_turn(rng, world)
        return [(turn.question, OPENING["en"] + turn.content.sentence + CLOSING["en"])]
    fact = _drawn(rng, world, language)
    turns = [(fact_turn(rng, world, fact).question, fact_reply(fact))]
    others = [
        other
        for other in world.by_entity[fact.entity]
        if other is not fact and not other.told_only and other.relation.follow_ups
    ]
    if others and rng.random() < 0.3:
        other = rng.choice(others)
        turns.append((rng.choice(other.relation.follow_ups), fact_reply(other)))
    elif fact.relation.kind not in SPOKEN_WHOLE and rng.random() < 0.2:
        row = [f for f in world.by_relation[fact.relation.name] if not f.told_only and f != fact]
        other = rng.choice(row)
        turns.append((what_about_turn(rng, world, other).question, fact_reply(other)))
    return turns


def render(messages: list[tuple[str, str]]) -> str:
    """ChatML of (role, content) messages; the same text as the chat template gives."""
    return "".join(f"{TURN_START}{role}\n{content}{TURN_END}\n" for role, content in messages)


def conversation(rng: random.Random, world: World, _late: bool = False) -> Segments:
    """A conversation of which the replies are learnt, or now and then a page of prose."""
    language = "zh" if rng.random() < ZH_SHARE else "en"
    if rng.random() < PROSE_SHARE:
        page = encyclopedia if rng.random() < 0.5 else notebook
        return [(page(rng, world, language), True)]
    segments: Segments = []
    if rng.random() < 0.45:
        segments.append((render([("system", rng.choice(SYSTEM_TEXTS))]), False))
    hurry = rng.choice((0.0, 0.2, 0.5))
    for _ in range(rng.choices((1, 2, 3), (4, 3, 1))[0]):
        for question, reply in _exchange(rng, world, language):
            asked = hurried_or_not(rng, question, hurry)
            segments.append((f"{render([('user', asked)])}{TURN_START}assistant\n", False))
            segments.append((f"{reply}{TURN_END}", True))
            segments.append(("\n", False))
    return segments
