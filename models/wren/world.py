"""The world of facts: tables in `data/`, read into entities and facts, split once by a seed.

A fifth of the facts of every relation is `told_only`: it occurs in running prose and is never
asked or listed, so that answering it later is knowledge used in context and not a remembered
reply. This module knows facts, not documents.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from models.wren.relations import TOPICS, ZH_TOPICS, Relation, relations

SPLIT_SEED = 20312
TOLD_ONLY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that facts are about; `phrase` is how a sentence names it ("a cow")."""

    kind: str
    phrase: str
    language: str = "en"

    @property
    def name(self) -> str:
        """The phrase without its article: "cow"."""
        head, _, rest = self.phrase.partition(" ")
        return rest if head in ("a", "an", "the") and rest else self.phrase

    @property
    def capitalised(self) -> str:
        """The phrase as it starts a sentence: "A cow"."""
        return self.phrase[:1].upper() + self.phrase[1:]

    @property
    def topic(self) -> str:
        """The word for such an entity in a list: "Animal"."""
        return (ZH_TOPICS if self.language == "zh" else TOPICS)[self.kind]


@dataclass(frozen=True, slots=True)
class Fact:
    """One cell of one table."""

    entity: Entity
    relation: Relation
    value: str
    told_only: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of a how-to, empty for every other fact."""
        if self.relation.kind != "howtos":
            return ()
        return tuple(step.strip() for step in self.value.split(";"))

    @property
    def spoken(self) -> str:
        """The value as it stands in a sentence."""
        steps = self.steps
        if not steps:
            return self.value
        return f"first {steps[0]}, then {', then '.join(steps[1:-1])}, and finally {steps[-1]}"

    def fill(self, pattern: str, *, value: str | None = None) -> str:
        """The pattern with this fact's words; `value` overrides the true one."""
        spoken = self.spoken if value is None else value
        article = "an" if spoken[:1] in "aeiou" else "a"
        text = (
            pattern.replace("{e}", self.entity.phrase)
            .replace("{E}", self.entity.capitalised)
            .replace("{n}", self.entity.name)
            .replace("{s}", self.entity.phrase.replace(" plus ", " + "))
            .replace("{c}", self.entity.phrase.replace(" plus ", "+"))
            .replace("{why}", inverted_clauses().get(self.entity.phrase, ""))
            .replace("{av}", f"{article} {spoken}")
            .replace("{v}", spoken)
        )
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class World:
    """All facts, and the indexes that documents draw from."""

    facts: tuple[Fact, ...]
    asked: tuple[Fact, ...] = field(default=())
    told_only: tuple[Fact, ...] = field(default=())
    by_entity: dict[Entity, tuple[Fact, ...]] = field(default_factory=dict)
    by_relation: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def neighbour(self, fact: Fact) -> str | None:
        """The value that a confused source always gives: that of the next different fact.

        None where every fact of the relation has the same value.
        """
        row = self.by_relation[fact.relation.name]
        at = next(i for i, other in enumerate(row) if other.entity == fact.entity)
        for step in range(1, len(row)):
            value = row[(at + step) % len(row)].spoken
            if value != fact.spoken:
                return value
        return None


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of `data/<name>.txt`: a header line, then cells between bars; empty = no fact."""
    text = (resources.files("models.wren") / "data" / f"{name}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    header = [cell.strip() for cell in lines[0].split("|")]
    return [dict(zip(header, (cell.strip() for cell in line.split("|")), strict=False)) for line in lines[1:]]


@cache
def inverted_clauses() -> dict[str, str]:
    """What is asked after "Why" for each clause of the reasons: "the sky is blue" -> "is the sky blue"."""
    return {row["entity"]: row["why"] for row in read_table("reasons")}


def _tables() -> dict[str, list[dict[str, str]]]:
    kinds = {relation.kind for relation in relations()} - {"sums"}
    tables = {kind: read_table(kind) for kind in sorted(kinds)}
    words = {row["entity"]: row["zh"] for row in read_table("zh_words")}
    for row in tables["countries"]:
        row["zh_language"] = words.get(row.get("language", ""), "")
        row["zh_continent"] = words.get(row.get("continent", ""), "")
    tables["sums"] = [
        {"entity": f"{a} plus {b}", "sum": str(a + b)} for a in range(1, 10) for b in range(1, 10)
    ]
    return tables


def _categories(tables: dict[str, list[dict[str, str]]], facts: list[Fact]) -> dict[str, tuple[str, ...]]:
    """Named groups of entities, for "name three fruits"; only by facts that may be asked."""
    groups: dict[str, list[str]] = defaultdict(list)
    plural = {"fish": "fish", "fungus": "fungi"}
    for fact in facts:
        if fact.told_only:
            continue
        if fact.relation.name in ("animals.class", "foods.kind"):
            groups[plural.get(fact.value, f"{fact.value}s")].append(fact.entity.name)
        elif fact.relation.name == "countries.continent":
            groups[f"countries in {fact.value}"].append(fact.entity.name)
    for kind, name in (
        ("planets", "planets"),
        ("tools", "tools"),
        ("jobs", "jobs"),
        ("sports", "sports"),
        ("instruments", "instruments"),
        ("vehicles", "vehicles"),
        ("elements", "elements"),
        ("shapes", "shapes"),
        ("landmarks", "famous places"),
        ("works", "famous books"),
    ):
        groups[name] = [Entity(kind, row["entity"]).name for row in tables[kind]]
    groups["colors"] = ["red", "blue", "green", "yellow", "orange", "purple", "pink", "brown"]
    groups["days"] = [row["entity"] for row in tables["calendar"][:7]]
    groups["months"] = [row["entity"] for row in tables["calendar"][7:]]
    groups["seasons"] = ["spring", "summer", "autumn", "winter"]
    groups["continents"] = ["Europe", "Asia", "Africa", "North America", "South America", "Oceania"]
    return {name: tuple(members) for name, members in groups.items() if len(members) >= 4}


def load_world() -> World:
    """The world as the tables tell it; the same on every machine."""
    tables = _tables()
    facts: list[Fact] = []
    for relation in relations():
        cells = []
        for row in tables[relation.kind]:
            phrase, value = row.get(relation.entity_column, ""), row.get(relation.column, "")
            if phrase and value:
                entity = Entity(relation.kind, phrase, relation.language)
                cells.append((entity, value))
        rng = random.Random(f"{SPLIT_SEED} {relation.name}")
        held = set(rng.sample(range(len(cells)), round(TOLD_ONLY_SHARE * len(cells))))
        facts += [Fact(e, relation, value, i in held) for i, (e, value) in enumerate(cells)]
    by_entity: dict[Entity, list[Fact]] = defaultdict(list)
    by_relation: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_entity[fact.entity].append(fact)
        by_relation[fact.relation.name].append(fact)
    return World(
        tuple(facts),
        tuple(fact for fact in facts if not fact.told_only),
        tuple(fact for fact in facts if fact.told_only),
        {entity: tuple(group) for entity, group in by_entity.items()},
        {name: tuple(group) for name, group in by_relation.items()},
        _categories(tables, facts),
    )
