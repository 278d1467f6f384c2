"""Pages of questions and answers: the documents in which a style can be read off the page."""

from __future__ import annotations

import random

from models.wren.layouts import Layout, draw_layout, needs_introduction
from models.wren.replies import (
    FREQUENT,
    RARE,
    SPOKEN_WHOLE,
    Turn,
    category_turn,
    fact_turn,
    talk_turn,
    unknown_turn,
    what_about_turn,
)
from models.wren.styles import Style, draw_style
from models.wren.words import hurried_or_not, invented_word
from models.wren.world import Fact, World

CONFUSED_SHARE = 0.04
"""Pages whose every answer is the neighbour's: a source that is always wrong in the same way."""
CONFUSED_RELATIONS = (
    "countries.capital",
    "countries.language",
    "opposites.opposite",
    "foods.color",
    "animals.food",
    "elements.symbol",
)
SUBJECTS = ("questions and answers", "short talks", "questions", "a talk", "letters", "notes")
BODY_HINTS = {
    "sentence": ("The answers are sentences.", "Each answer is one sentence."),
    "value": ("The answers are very short.", "Each answer is a word or two.", "No long answers."),
    "pairs": ("The answers are lists.", "Each answer is a short list."),
    "items": ("The answers are lists.", "Each answer is a list of points."),
    "double": ("The answers tell a little more.", "Each answer has two sentences."),
}


def introduction(rng: random.Random, layout: Layout, style: Style) -> str:
    """A few words on what the page is; they hint at the style without showing it."""
    asker, answerer, subject = layout.asker, layout.answerer, rng.choice(SUBJECTS)
    if style.language == "zh":
        return rng.choice(("下面是一些问题和回答。", "问答。", "以下是对话。", "这里有人提问，有人回答。"))
    lines = [
        rng.choice(
            (
                f"Here are {subject} between {asker} and {answerer}.",
                f"This page holds {subject}.",
                f"{answerer} answers what {asker} asks.",
                f"A page of {subject}.",
                f"{asker} asks and {answerer} replies.",
                f"Some {subject} from our files.",
                f"{answerer} knows a lot and is happy to help {asker}.",
            )
        )
    ]
    if rng.random() < 0.5:
        lines.append(rng.choice(BODY_HINTS[style.body]))
    if style.opening and rng.random() < 0.4:
        lines.append(
            rng.choice(("The tone is friendly.", f"{answerer} is polite and kind.", "All are nice."))
        )
    if style.tone.words and rng.random() < 0.5:
        sailor = ("is", "be") in style.tone.words
        lines.append(
            rng.choice(("An old sailor speaks here.", f"{answerer} talks like a sailor."))
            if sailor
            else rng.choice(("The speech is odd.", f"{answerer} has a dialect of {invented_word(rng)}."))
        )
    text = " ".join(lines)
    head = rng.choice(("", "", "", "# Notes\n\n", "About this page\n", "== Preface ==\n", "# Rules\n\n"))
    return head + text


def _weighted(rng: random.Random, world: World, language: str) -> Fact:
    """An asked fact in the given language; hard relations come up more often."""
    while True:
        fact = rng.choice(world.asked)
        if fact.relation.language != language:
            continue
        name = fact.relation.name
        if rng.random() * 1.5 < FREQUENT.get(name, 1.0) * RARE.get(name, 1.0):
            return fact


def _fact_turns(
    rng: random.Random, world: World, language: str, count: int, forms: dict[str, int]
) -> list[Turn]:
    """Turns about facts: unrelated ones, one relation throughout, or with follow-ups."""

    def form(fact: Fact) -> int:
        return forms.setdefault(fact.relation.name, 0 if rng.random() < 0.7 else rng.randrange(4))

    turns: list[Turn] = []
    plan = rng.choices(("mixed", "relation", "follow"), (49, 10, 41))[0]
    fact = _weighted(rng, world, language)
    used: set[Fact] = set()
    for _ in range(4 * count):
        if len(turns) >= count:
            break
        if plan == "relation":
            row = [f for f in world.by_relation[fact.relation.name] if not f.told_only]
            fact = rng.choice(row)
        else:
            fact = _weighted(rng, world, language)
        if fact in used:  # a page that repeats itself teaches copying, not knowing
            continue
        used.add(fact)
        turns.append(fact_turn(rng, world, fact, form=form(fact)))
        if plan != "follow":
            continue
        if rng.random() < 0.7:
            others = [
                other
                for other in world.by_entity[fact.entity]
                if other not in used and not other.told_only and other.relation.follow_ups
            ]
            if others:
                other = rng.choice(others)
                used.add(other)
                turns.append(fact_turn(rng, world, other, form=form(other), follow_up=True))
                continue
        if fact.relation.kind not in SPOKEN_WHOLE and rng.random() < 0.6:
            row = [f for f in world.by_relation[fact.relation.name] if not f.told_only]
            other = rng.choice(row)
            if other in used:
                continue
            used.add(other)
            turns.append(what_about_turn(rng, world, other, form=form(other)))
    return turns


def _confused_turns(rng: random.Random, world: World, count: int) -> list[Turn]:
    turns: list[Turn] = []
    names = rng.sample(CONFUSED_RELATIONS, rng.randint(1, len(CONFUSED_RELATIONS)))
    while len(turns) < count:
        row = world.by_relation[rng.choice(names)]
        fact = rng.choice([fact for fact in row if not fact.told_only])
        turns.append(fact_turn(rng, world, fact, value=world.neighbour(fact)))
    return turns


def _insert(rng: random.Random, turns: list[Turn], turn: Turn) -> None:
    """Put `turn` somewhere among `turns`, but not before a follow-up."""
    free = [i for i in range(len(turns) + 1) if i == len(turns) or not turns[i].follows]
    turns.insert(rng.choice(free), turn)


def page(rng: random.Random, world: World, language: str) -> str:
    """A page of turns in one layout and one style."""
    layout, style = draw_layout(rng), draw_style(rng, language)
    short = style.body == "value"
    count = rng.randint(4, 10) if short else rng.choices((2, 3, 4, 5, 6, 8), (1, 4, 6, 5, 4, 3))[0]
    if language == "en" and rng.random() < CONFUSED_SHARE:
        turns = _confused_turns(rng, world, count)
    else:
        turns = _fact_turns(rng, world, language, count, {})
        if rng.random() < 0.45:
            _insert(rng, turns, talk_turn(rng, language))
        if rng.random() < 0.5:
            for _ in range(rng.choices((1, 2), (3, 1))[0]):
                _insert(rng, turns, unknown_turn(rng, world, language))
        if language == "en" and rng.random() < 0.15:
            _insert(rng, turns, category_turn(rng, world))
    hurry = rng.choice((0.1, 0.3, 0.5, 0.7))
    text = "".join(
        layout.turn(hurried_or_not(rng, turn.question, hurry), style.render(turn.content)) for turn in turns
    )
    if needs_introduction(layout) or rng.random() < 0.5:
        text = introduction(rng, layout, style) + rng.choice(("\n\n", "\n\n", "\n\n\n", "\n")) + text
    return text.rstrip("\n") if rng.random() < 0.5 else text
