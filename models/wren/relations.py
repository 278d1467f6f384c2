"""How each kind of fact is asked and told, in English and in Chinese.

Placeholders: `{e}` the entity as a phrase ("a cow", "France"), `{E}` the same capitalised,
`{n}` without its article, `{v}` the value, `{av}` the value with its article, `{s}` and `{c}` a
sum with signs ("2 + 3", "2+3"). This module knows words, not facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Relation:
    """One column of a table of facts.

    Attributes:
        kind: The table, e.g. `countries`.
        column: The column that holds the value.
        label: The name of the value in a list, e.g. `Capital`.
        questions: Ways to ask; the first is the plainest.
        statements: Ways to answer in a sentence; each names the entity and the value.
        prose: Further ways to tell it when the entity has just been named.
        follow_ups: Ways to ask about an entity that the talk is already about.
        entity_column: The column that names the entity.
        language: `en` or `zh`.
    """

    kind: str
    column: str
    label: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    prose: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    entity_column: str = "entity"
    language: str = "en"

    @property
    def name(self) -> str:
        """A unique name, e.g. `countries.capital`."""
        return f"{self.kind}.{self.column}"


TOPICS: dict[str, str] = {
    "countries": "Country",
    "animals": "Animal",
    "foods": "Food",
    "tools": "Thing",
    "jobs": "Job",
    "planets": "Planet",
    "opposites": "Word",
    "works": "Title",
    "inventions": "Idea",
    "landmarks": "Place",
    "elements": "Element",
    "sports": "Sport",
    "instruments": "Instrument",
    "vehicles": "Vehicle",
    "body": "Body part",
    "shapes": "Shape",
    "calendar": "Date",
    "plurals": "Word",
    "mixes": "Colors",
    "terms": "Term",
    "reasons": "Topic",
    "howtos": "Task",
    "sums": "Numbers",
}
"""The word for an entity of each table at the head of a list."""

ZH_TOPICS: dict[str, str] = {
    "countries": "国家",
    "animals": "动物",
    "foods": "食物",
    "opposites": "词语",
    "zh_reasons": "问题",
}


MARKS = {"?": "questions", "=": "statements", "~": "prose", ">": "follow_ups"}


@dataclass(slots=True)
class _Draft:
    """A relation while its lines are read."""

    name: str
    label: str
    patterns: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in MARKS.values()})

    def finished(self) -> Relation:
        kind, _, column = self.name.partition(".")
        chinese = column.startswith("zh_")
        return Relation(
            kind=kind,
            column=column,
            label=self.label,
            questions=tuple(self.patterns["questions"]),
            statements=tuple(self.patterns["statements"]),
            prose=tuple(self.patterns["prose"]),
            follow_ups=tuple(self.patterns["follow_ups"]),
            entity_column="zh" if chinese else "entity",
            language="zh" if chinese or kind.startswith("zh_") else "en",
        )


@cache
def relations() -> tuple[Relation, ...]:
    """Every relation, read from `data/relations.txt`.

    A block starts with `[kind.column] label`; then one pattern a line: `?` asks, `=` answers in a
    sentence, `~` tells of an entity that was just named, `>` asks about one that the talk is about.
    """
    text = (resources.files("models.wren") / "data" / "relations.txt").read_text("utf-8")
    drafts: list[_Draft] = []
    for line in filter(None, text.splitlines()):
        mark, _, rest = line.partition(" ")
        if mark in MARKS:
            drafts[-1].patterns[MARKS[mark]].append(rest)
        else:
            drafts.append(_Draft(mark.strip("[]"), rest))
    return tuple(draft.finished() for draft in drafts)
