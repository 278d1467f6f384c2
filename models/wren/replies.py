"""Questions and what is answered to them: facts, lists, small talk, and what nobody can know."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from models.wren.relations import Relation, relations
from models.wren.styles import Content
from models.wren.words import invented_word, table_words
from models.wren.world import Entity, Fact, World, read_table

NUMBERS = {2: "two", 3: "three", 4: "four"}
FREQUENT = {
    "countries.capital": 1.5,
    "opposites.opposite": 1.3,
    "sums.sum": 1.2,
    "howtos.steps": 1.5,
    "reasons.because": 1.5,
}
RARE = {"countries.continent": 0.6, "animals.legs": 0.7, "landmarks.kind": 0.7}
SPOKEN_WHOLE = ("howtos", "reasons")
"""Kinds whose entities are clauses: nobody asks "And make tea?" after another one of them."""
INVENTED_KINDS = ("countries", "animals", "foods", "works", "elements", "inventions", "landmarks")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and the content of its reply; `follows` where it needs the turn before it."""

    question: str
    content: Content
    follows: bool = False


def fact_content(
    rng: random.Random, world: World, fact: Fact, *, value: str | None = None, form: int = 0
) -> Content:
    """What a reply says that gives `fact`.

    Args:
        rng: Chooses the extra facts.
        world: Where the extra facts come from; only asked ones are used.
        fact: The fact that was asked for.
        value: A wrong value to give in place of the true one.
        form: Which of the relation's statements to use.
    """
    spoken = fact.spoken if value is None else value
    statements = fact.relation.statements
    sentence = fact.fill(statements[form % len(statements)], value=value)
    pairs = [(fact.entity.topic, fact.entity.name), (fact.relation.label, spoken)]
    items = [sentence]
    extra = ""
    if fact.steps:
        pairs = [(f"Step {i}", step) for i, step in enumerate(fact.steps, start=1)]
        items = [f"{step[:1].upper()}{step[1:]}." for step in fact.steps]
    elif value is None:
        others = [
            other for other in world.by_entity[fact.entity] if other is not fact and not other.told_only
        ]
        if others:
            more = rng.choice(others)
            items.append(more.fill(more.relation.statements[0]))
            extra = more.fill(rng.choice(more.relation.prose or more.relation.statements))
    return Content(sentence, spoken, tuple(pairs), tuple(items), extra)


def fact_turn(
    rng: random.Random,
    world: World,
    fact: Fact,
    *,
    form: int = 0,
    follow_up: bool = False,
    value: str | None = None,
) -> Turn:
    """A question for one fact, and its reply."""
    relation = fact.relation
    content = fact_content(rng, world, fact, value=value, form=form)
    if follow_up and relation.follow_ups:
        return Turn(rng.choice(relation.follow_ups), content, follows=True)
    first = rng.random() < 0.4
    pattern = relation.questions[0] if first else rng.choice(relation.questions)
    return Turn(fact.fill(pattern), content)


def what_about_turn(rng: random.Random, world: World, fact: Fact, *, form: int = 0) -> Turn:
    """A follow-up that asks the same of another entity: "And Spain?"."""
    if fact.relation.language == "zh":
        pattern = rng.choice(("那{e}呢？", "{e}呢？"))
    else:
        pattern = rng.choice(("And {e}?", "What about {e}?", "How about {e}?", "And what about {e}?"))
    return Turn(fact.fill(pattern), fact_content(rng, world, fact, form=form), follows=True)


def category_turn(rng: random.Random, world: World) -> Turn:
    """A question for some members of a group, e.g. three fruits."""
    name = rng.choice(list(world.categories))
    count = rng.choices((2, 3, 4), (2, 5, 2))[0]
    members = world.categories[name][:count]  # always the first, so that there is one answer to learn
    number = NUMBERS[count]
    question = rng.choice(
        (
            f"Name {number} {name}.",
            f"Give me {number} {name}.",
            f"Can you name {number} {name}?",
            f"Which {number} {name} can you name?",
            f"List {number} {name}.",
        )
    )
    listed = f"{', '.join(members[:-1])} and {members[-1]}"
    sentence = f"{number.capitalize()} {name} are {listed}."
    pairs = tuple((f"{name.capitalize()} {i}", member) for i, member in enumerate(members, start=1))
    return Turn(question, Content(sentence, listed, pairs, tuple(members)))


@cache
def talk(language: str) -> tuple[tuple[tuple[str, ...], str, str], ...]:
    """Small talk: ways to say it, the reply, and the reply in a few words."""
    return tuple(
        (tuple(q.strip() for q in row["questions"].split(";")), row["reply"], row["short"])
        for row in read_table("talk")
        if row["language"] == language
    )


def talk_turn(rng: random.Random, language: str) -> Turn:
    """A greeting, thanks, a goodbye, or a question about the helper itself."""
    questions, reply, short = rng.choice(talk(language))
    label = "回答" if language == "zh" else "Reply"
    question = rng.choice(questions)
    return Turn(question, Content(reply, short, ((label, short),), (reply,)))


@cache
def unknown_questions(table: str, language: str) -> tuple[str, ...]:
    """Questions that nobody can answer from a book, from `data/<table>.txt`."""
    return tuple(row["entity"] for row in read_table(table) if row["language"] == language)


@cache
def unknown_names(table: str) -> dict[str, tuple[str, ...]]:
    """Real names that the world does not hold, by kind."""
    return {row["kind"]: tuple(name.strip() for name in row["names"].split(";")) for row in read_table(table)}


def unknown_content(entity: Entity | None, relation: Relation | None, language: str) -> Content:
    """What a reply says to a question that the world cannot answer."""
    if language == "zh":
        sentence = f"我不知道{entity.phrase}。" if entity else "我不知道。"
        return Content(sentence, "我不知道", (("回答", "我不知道"),), (sentence,))
    sentence = f"I do not know about {entity.phrase}." if entity else "I do not know that."
    pairs: tuple[tuple[str, str], ...] = (("Reply", "I do not know"),)
    if entity and relation:
        pairs = ((entity.topic, entity.name), (relation.label, "I do not know"))
    return Content(sentence, "I do not know", pairs, (sentence,))


def _misremembered(rng: random.Random, known: Entity) -> str:
    """A name that starts like a known one and goes on differently: only who reads all of it knows."""
    article = known.phrase[: len(known.phrase) - len(known.name)]
    first, space, _ = known.name.partition(" ")
    if space and rng.random() < 0.5:
        return f"{article}{first} {invented_word(rng, syllables=2).capitalize()}"
    return f"{article}{first[: rng.randint(2, 4)]}{invented_word(rng, syllables=rng.choice((1, 2)))}"


def unknown_turn(rng: random.Random, world: World, language: str) -> Turn:
    """A question outside the world, and a reply that says so."""
    draw = rng.random()
    if draw < 0.3:
        question = rng.choice(unknown_questions("unknown", language))
        return Turn(question, unknown_content(None, None, language))
    kind = rng.choice(INVENTED_KINDS if language == "en" else ("countries", "animals", "foods"))
    names = unknown_names("unknown_names")
    if language == "zh":
        phrase = "".join(rng.choice("蓝卡波姆拉齐诺贝塔鲁维多米索") for _ in range(rng.randint(2, 4)))
    elif draw < 0.52:
        kind = rng.choice(list(names))
        phrase = rng.choice(names[kind])
    elif draw < 0.74:
        known = rng.choice([e for e in world.by_entity if e.kind == kind and e.language == language])
        phrase = _misremembered(rng, known)
    elif kind in ("works", "inventions", "landmarks") and rng.random() < 0.6:
        words = rng.sample(table_words(), rng.randint(1, 3))
        if kind != "inventions":
            words = [word.capitalize() for word in words]
        phrase = f"{'The' if kind == 'works' else 'the'} {' '.join(words)}"
    else:
        phrase = invented_word(rng, syllables=rng.choice((2, 2, 3)))
        phrase = f"a {phrase}" if kind in ("animals", "foods") else phrase.capitalize()
    candidates = [r for r in relations() if r.kind == kind and r.language == language]
    relation = rng.choice(candidates)
    entity = Entity(kind, phrase, language)
    question = Fact(entity, relation, "").fill(rng.choice(relation.questions))
    return Turn(question, unknown_content(entity, relation, language))
