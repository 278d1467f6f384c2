"""The questions that the evaluation asks, written to `check.jsonl` from the world by a fixed seed.

    python -m models.wren.questions      # writes models/wren/check.jsonl

One JSON object a line. The first is the settings; every other one is a case: `line` names the row of
the table it belongs to, `turns` holds one or two questions with what a right reply must and must not
say. The answers come from the world, never from a model.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from models.wren.conversations import CLOSING, OPENING
from models.wren.dialogues import CONFUSED_RELATIONS
from models.wren.relations import relations
from models.wren.replies import unknown_names, unknown_questions, what_about_turn
from models.wren.words import invented_word, typo
from models.wren.world import Entity, Fact, World, load_world

SEED = 77
CASES = 200
EXAMPLE_FACTS = frozenset(
    {
        ("countries.capital", "France"),
        ("animals.food", "a horse"),
        ("reasons.because", "the sky is blue"),
        ("opposites.opposite", "big"),
        ("foods.color", "a lemon"),
        ("countries.zh_capital", "法国"),
        ("animals.zh_food", "马"),
        ("opposites.zh_opposite", "大"),
    }
)
"""What the shipped presets' examples tell: never asked in the evaluation."""


def _is_example(fact: Fact) -> bool:
    return (fact.relation.name, fact.entity.phrase) in EXAMPLE_FACTS


def expectation(fact: Fact) -> dict[str, object]:
    """What a right reply to a question for `fact` holds.

    `values`: every one must occur. `entity`: must occur, unless the reply is bare. `sentences`: true ways
    to say it; a value of another entity that occurs in none of them must not occur.
    """
    return {
        "entity": "" if fact.steps else fact.entity.name,
        "values": list(fact.steps) or [fact.value],
        "sentences": [fact.fill(pattern) for pattern in fact.relation.statements],
    }


def _turn(fact: Fact, question: str) -> dict[str, object]:
    return {"question": question, "relation": fact.relation.name, **expectation(fact)}


def _ask(rng: random.Random, fact: Fact) -> str:
    return fact.fill(rng.choice(fact.relation.questions))


def _draw(rng: random.Random, facts: list[Fact], count: int) -> list[Fact]:
    """`count` facts, each at most once more often than any other."""
    drawn: list[Fact] = []
    while len(drawn) < count:
        drawn += rng.sample(facts, min(len(facts), count - len(drawn)))
    return drawn


def _hurried(rng: random.Random, question: str) -> str:
    return typo(rng, question.lower().rstrip("?.！？"))


def _two_turns(rng: random.Random, world: World, asked: list[Fact]) -> list[dict[str, object]]:
    first = rng.choice(asked)
    others = [
        other
        for other in world.by_entity[first.entity]
        if other != first and not other.told_only and other.relation.follow_ups
    ]
    if others and rng.random() < 0.6:
        second = rng.choice(others)
        question = rng.choice(second.relation.follow_ups)
    else:
        row = [f for f in world.by_relation[first.relation.name] if not f.told_only and f != first]
        if not row or first.relation.kind in ("sums", "reasons", "howtos", "terms", "body"):
            return _two_turns(rng, world, asked)
        second = rng.choice(row)
        question = what_about_turn(rng, world, second).question
    return [_turn(first, _ask(rng, first)), _turn(second, question)]


def _unknown(rng: random.Random) -> dict[str, object]:
    """A question that the world cannot answer, about nothing that the corpus names."""
    draw = rng.random()
    if draw < 0.2:
        return {"question": rng.choice(unknown_questions("unknown_check", "en")), "entity": ""}
    names = unknown_names("unknown_names_check")
    kind = rng.choice(list(names))
    if draw < 0.6:
        phrase = rng.choice(names[kind])
    else:
        phrase = invented_word(rng, syllables=rng.choice((2, 3)))
        phrase = f"a {phrase}" if kind in ("animals", "foods") else phrase.capitalize()
    relation = rng.choice([r for r in relations() if r.kind == kind and r.language == "en"])
    entity = Entity(kind, phrase)
    question = Fact(entity, relation, "").fill(rng.choice(relation.questions))
    return {"question": question, "entity": entity.name}


def _misled(world: World) -> list[dict[str, str]]:
    """Three examples from as many relations, each with its right and its neighbour's answer."""
    chosen = [
        ("countries.capital", "France"),
        ("animals.food", "a horse"),
        ("opposites.opposite", "big"),
    ]
    examples = []
    for name, phrase in chosen:
        fact = next(f for f in world.by_relation[name] if f.entity.phrase == phrase)
        wrong = world.neighbour(fact)
        examples.append(
            {
                "question": fact.fill(fact.relation.questions[0]),
                "right": fact.fill(fact.relation.statements[0]),
                "wrong": fact.fill(fact.relation.statements[0], value=wrong),
            }
        )
    return examples


def make_cases() -> list[dict[str, object]]:
    """The settings and every case."""
    world = load_world()
    rng = random.Random(f"wren check {SEED}")
    english = [f for f in world.asked if f.relation.language == "en" and not _is_example(f)]
    chinese = [f for f in world.asked if f.relation.language == "zh" and not _is_example(f)]
    told = [f for f in world.told_only if f.relation.language == "en" and not _is_example(f)]
    confused = [f for f in english if f.relation.name in CONFUSED_RELATIONS]
    lines: list[dict[str, object]] = [
        {
            "line": "settings",
            "seed": SEED,
            "instruct_opening": [text.strip() for text in OPENING.values()],
            "instruct_closing": [text.strip() for text in CLOSING.values()],
            "unknown": ["do not know", "don't know", "不知道"],
            "misled": _misled(world),
            "values": {
                name: sorted({fact.value for fact in row if not fact.steps})
                for name, row in world.by_relation.items()
            },
        }
    ]
    for name, facts in (("seen", english), ("told", told), ("chinese", chinese), ("misled", confused)):
        for fact in _draw(rng, facts, CASES):
            lines.append({"line": name, "turns": [_turn(fact, _ask(rng, fact))]})
    for fact in _draw(rng, english, CASES):
        question = _hurried(rng, _ask(rng, fact))
        lines.append({"line": "hurried", "turns": [_turn(fact, question)]})
    for _ in range(CASES):
        lines.append({"line": "two_turns", "turns": _two_turns(rng, world, english)})
    for _ in range(CASES):
        lines.append({"line": "unknown", "turns": [_unknown(rng)]})
    return lines


def main() -> None:
    """Write `check.jsonl` beside this file."""
    path = Path(__file__).with_name("check.jsonl")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in make_cases())
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.name}: {len(text.splitlines())} lines, {len(text) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
