"""Documents that are no talk: encyclopedia pages, lists, question banks, forums, refrains.

Every document is a function of a random generator and the world. Prose tells every fact; lists
and banks hold only facts that may be asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from models.wren.relations import relations
from models.wren.replies import fact_turn, unknown_turn
from models.wren.words import (
    ANSWERERS,
    NAMES,
    hurried_or_not,
    invented_phrase,
    invented_word,
    pool,
)
from models.wren.world import Fact, World

TOLD_ONLY_WEIGHT = 2.2
"""How much more often prose tells a fact that nothing else tells."""

LEADS = ("", "", "", "", "", "", "As everyone knows, ", "Also, ", "In short, ", "It is said that ")
TITLES = ("A short guide to {}", "About {}", "{}", "{} at a glance", "All about {}", "Notes on {}")


def told(rng: random.Random, fact: Fact, *, named: bool) -> str:
    """The fact in running prose; `named` where the sentence before named the entity."""
    if named and fact.relation.prose and rng.random() < 0.4:
        return fact.fill(rng.choice(fact.relation.prose))
    statements = fact.relation.statements
    sentence = fact.fill(statements[0] if rng.random() < 0.6 else rng.choice(statements))
    lead = rng.choice(LEADS) if fact.relation.language == "en" else ""
    if lead and sentence.startswith(("A ", "An ", "The ", "People ")):
        return lead + sentence[0].lower() + sentence[1:]
    return sentence


def _some_facts(rng: random.Random, facts: tuple[Fact, ...], limit: int) -> list[Fact]:
    """Up to `limit` of the facts in random order, those told only in prose first in line."""
    ranked = sorted(facts, key=lambda f: rng.random() ** (TOLD_ONLY_WEIGHT if f.told_only else 1.0))
    chosen = ranked[:limit]
    rng.shuffle(chosen)
    return chosen


def draw_asked(rng: random.Random, world: World, language: str) -> Fact:
    """A fact that may be asked, of the given language."""
    while True:
        fact = rng.choice(world.asked)
        if fact.relation.language == language:
            return fact


def draw_told(rng: random.Random, world: World, language: str) -> Fact:
    """A fact for prose, of the given language; those told only here come up more often."""
    while True:
        facts = world.told_only if rng.random() < 0.42 else world.asked
        fact = rng.choice(facts)
        if fact.relation.language == language:
            return fact


def encyclopedia(rng: random.Random, world: World, language: str) -> str:
    """One to four paragraphs, each about one entity."""
    paragraphs = []
    joint = " " if language == "en" else ""
    count = rng.choices((1, 2, 3, 4), (2, 4, 3, 2))[0]
    first = draw_told(rng, world, language)
    same_kind = rng.random() < 0.7
    for i in range(count):
        seed = draw_told(rng, world, language) if i else first
        while same_kind and seed.relation.kind != first.relation.kind:
            seed = draw_told(rng, world, language)
        facts = _some_facts(rng, world.by_entity[seed.entity], rng.randint(1, 5))
        if seed not in facts:
            facts[0] = seed
        text = joint.join(told(rng, fact, named=k > 0) for k, fact in enumerate(facts))
        if language == "en" and rng.random() < 0.2:
            title = rng.choice(TITLES).format(seed.entity.phrase)
            text = f"{title[:1].upper()}{title[1:]}\n{text}"
        paragraphs.append(text)
    return rng.choice(("\n\n", "\n\n", "\n")).join(paragraphs)


def notebook(rng: random.Random, world: World, language: str) -> str:
    """Many unrelated facts in a row, as a pupil writes them down."""
    facts = [draw_told(rng, world, language) for _ in range(rng.randint(4, 12))]
    if rng.random() < 0.5:
        relation = rng.choice(facts).relation.name
        row = world.by_relation[relation]
        facts = [rng.choice(row) for _ in range(rng.randint(3, 10))]
    joint = rng.choice((" ", "\n")) if language == "en" else rng.choice(("", "\n"))
    return joint.join(told(rng, fact, named=False) for fact in facts)


def story(rng: random.Random, world: World, language: str) -> str:
    """A small story whose people tell each other facts."""
    if language == "zh":
        return notebook(rng, world, language)
    one, two = rng.sample(pool(NAMES, None), 2)
    place = rng.choice(("garden", "kitchen", "school", "park", "station", "market", "library"))
    lines = [
        rng.choice(
            (
                f"{one} and {two} met in the {place}.",
                f"One day {one} walked to the {place} with {two}.",
                f"It was a quiet morning in the {place}, and {one} sat beside {two}.",
            )
        )
    ]
    for _ in range(rng.randint(2, 5)):
        sentence = told(rng, draw_told(rng, world, "en"), named=False)
        who = rng.choice((one, two))
        lines.append(
            rng.choice(
                (
                    f'"{sentence}" said {who}.',
                    f'{who} said: "{sentence}"',
                    f"{who} had read it in a book. {sentence}",
                    f"{who} remembered something. {sentence}",
                )
            )
        )
    lines.append(rng.choice((f"Then {one} went home.", f"{two} smiled.", "And so the day ended.")))
    return " ".join(lines)


def table(rng: random.Random, world: World, language: str) -> str:
    """A relation as a bare list of entity and value."""
    candidates = [r for r in relations() if r.language == language and r.kind not in ("howtos",)]
    relation = rng.choice(candidates)
    row = [fact for fact in world.by_relation[relation.name] if not fact.told_only]
    facts = rng.sample(row, min(len(row), rng.randint(4, 12)))
    joint = rng.choice((": ", " - ", " = ", ", ", " | ", "\t", " -> "))
    topic = relation.label
    head = rng.choice((f"{topic}\n", f"{topic}:\n", f"{facts[0].entity.topic}{joint}{topic}\n", ""))
    mark = rng.choice(("", "", "- ", "* "))
    return head + "\n".join(f"{mark}{fact.entity.name}{joint}{fact.spoken}" for fact in facts)


def question_bank(rng: random.Random, world: World, language: str) -> str:
    """Questions without answers, as in an exercise book."""
    facts = [draw_asked(rng, world, language) for _ in range(12)]
    if rng.random() < 0.3:
        row = [f for f in world.by_relation[facts[0].relation.name] if not f.told_only]
        facts = [rng.choice(row) for _ in range(12)]
    turns = [fact_turn(rng, world, fact) for fact in facts[: rng.randint(4, 12)]]
    turns += [unknown_turn(rng, world, language) for _ in range(rng.randint(0, 2))]
    rng.shuffle(turns)
    questions = [hurried_or_not(rng, turn.question, 0.15) for turn in turns]
    if rng.random() < 0.6:
        return rng.choice(("\n", "\n", "\n\n", " ")).join(questions)
    head = rng.choice(("Exercises\n", "Homework:\n", "Quiz night\n\n", "Think about these:\n", ""))
    return head + "\n".join(f"{i}. {question}" for i, question in enumerate(questions, start=1))


def forum(rng: random.Random, world: World, language: str) -> str:
    """A question that other people talk about and nobody answers."""
    fact = draw_asked(rng, world, language)
    question = hurried_or_not(rng, fact_turn(rng, world, fact).question, 0.3)
    if language == "zh":
        comments: tuple[str, ...] = ("我也想知道。", "顶。", "有人知道吗？", "去图书馆查查。", "好问题。")
        names: tuple[str, ...] = ("小明", "小红", "小李", "老王")
    else:
        comments = (
            "I was wondering about that too.",
            "Did you ever find out?",
            "Bump.",
            "My teacher asked us the same thing.",
            "Please use the search.",
            "Following this thread.",
            "That would be good to know.",
            "This was asked last week.",
            "No idea, sorry.",
            "Ask at the library.",
            "Same here.",
        )
        names = pool(NAMES, None)
    lines = [question]
    for _ in range(rng.randint(2, 6)):
        lines.append(f"{rng.choice(names)}: {rng.choice(comments)}")
    return rng.choice(("\n", "\n", "\n\n")).join(lines)


def article(rng: random.Random, world: World, language: str) -> str:
    """A page that opens with a question and wanders off."""
    if language == "zh":
        return forum(rng, world, language)
    fact = draw_asked(rng, world, "en")
    remarks = (
        "This is a question that many people ask.",
        "We sent our reporter to the streets to find out.",
        "Nobody in the office could agree.",
        "In this series we look at everyday questions.",
        "Share this page with your friends.",
        "Read more in the next part.",
        "Our readers have sent us many letters about it.",
        "The answer may surprise you.",
        "First, a word about the weather.",
    )
    question = fact_turn(rng, world, fact).question
    body = " ".join(rng.sample(remarks, rng.randint(2, 4)))
    writer = rng.choice(pool(NAMES, None))
    end = rng.choice(("", f"\n\nBy {writer}", "\n\nTo be continued.", "\n\nTags: quiz, school"))
    return f"{question}{rng.choice((' ', chr(10), chr(10) * 2))}{body}{end}"


def manual(rng: random.Random, world: World, _language: str) -> str:
    """How one to three things are done, in numbered steps; nobody asks."""
    parts = []
    for fact in rng.sample(world.by_relation["howtos.steps"], rng.randint(1, 3)):
        head = rng.choice(("How to {}", "To {}:", "Here is how to {}:", "{}", "We {}:", "Here is how:"))
        head = head.format(fact.entity.phrase)
        mark = rng.choice(("{}. ", "{}. ", "{}. ", "{}) ", "Step {}: "))
        steps = [
            f"{mark.format(i)}{step[:1].upper()}{step[1:]}." for i, step in enumerate(fact.steps, start=1)
        ]
        parts.append("\n".join((head[:1].upper() + head[1:], *steps)))
    return "\n\n".join(parts)


def refrain(rng: random.Random, _world: World, _language: str) -> str:
    """Invented words that come back in a fixed order: practice in copying."""
    if rng.random() < 0.5:
        lines = [invented_phrase(rng) for _ in range(rng.randint(2, 4))]
        times = rng.randint(2, 4)
        joint = rng.choice(("\n", " ", ". "))
        return "\n".join(joint.join(lines) for _ in range(times))
    pairs = [(invented_word(rng), invented_word(rng)) for _ in range(rng.randint(3, 7))]
    joint = rng.choice((": ", " - ", " = ", " says "))
    again = [rng.choice(pairs) for _ in range(rng.randint(4, 10))]
    return "\n".join(f"{a}{joint}{b}" for a, b in [*pairs, *again])


def chant(rng: random.Random, _world: World, _language: str) -> str:
    """A page where one speaker wraps every remark in the same invented words."""
    who = rng.choice(pool(ANSWERERS, None))
    before, after = invented_phrase(rng), invented_phrase(rng)
    names = pool(NAMES, None)
    things = ("is here", "has gone home", "sings", "is late", "waits", "reads", "sleeps", "cooks")
    lines = [
        f"{who}: {before}! {rng.choice(names)} {rng.choice(things)}. {after}!"
        for _ in range(rng.randint(3, 6))
    ]
    return "\n".join(lines)


KINDS: tuple[tuple[Callable[[random.Random, World, str], str], float], ...] = (
    (encyclopedia, 13.0),
    (notebook, 12.0),
    (story, 3.0),
    (table, 5.0),
    (question_bank, 6.0),
    (forum, 4.0),
    (article, 1.8),
    (refrain, 0.8),
    (chant, 0.6),
)
"""The kinds and their shares of all documents, in percent."""

LATE_KINDS = (*KINDS, (manual, 2.0))
"""The same for the second part of the training."""
