"""Question sets: what assistants are asked, with what a right answer holds where that is known.

From any data file that ``playground.datasets`` reads, or from the questions that come with a bundled pair.
A question has one or more turns; rows that could not be read are kept by name, so that a summary can say so.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import msgspec

from playground.datasets import DataFileError, RowProblem, read_data
from playground.datasets.source import parse_source
from playground.experiments.pair_cases import read_cases
from playground.experiments.pair_scoring import Expected
from playground.experiments.private_files import write_private
from playground.types import Example


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn of a question.

    Attributes:
        query: What the person says.
        reference: A good answer; empty where the set gives none.
        values: What a right answer holds, as whole words; empty where that is not known.
        entity: What a right answer names.
        relation: Whose other values contradict the right one; see ``QuestionSet.rivals``.
        sentences: True ways to say it.
    """

    query: str
    reference: str = ""
    values: tuple[str, ...] = ()
    entity: str = ""
    relation: str = ""
    sentences: tuple[str, ...] = ()

    def expected(self) -> Expected:
        """The same for the checks of the bundled pair."""
        return Expected(self.query, self.relation, self.entity, self.values, self.sentences)


@dataclass(frozen=True, slots=True)
class Question:
    """One or more turns under one id; ``place`` is its line or item in the file it came from."""

    id: str
    turns: tuple[Asked, ...]
    category: str = ""
    system: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions with distinct ids, in order.

    Attributes:
        name: Where they are from.
        format: The file's format, or ``pair``.
        problems: Rows that were passed over.
        rivals: By relation, every value it can have.
        openings, closings: How answers of the pair's instruct model begin and end, which says nothing.
        notes: How the file was read, and rows that were read with a change. A sentence each.
    """

    name: str
    questions: tuple[Question, ...]
    format: str = "pair"
    problems: tuple[RowProblem, ...] = ()
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def sha256(self) -> str:
        """64 hex digits over everything that is asked and expected, not over name, problems and notes."""
        content = [asdict(question) for question in self.questions]
        more = [dict(self.rivals), self.openings, self.closings]
        text = json.dumps([content, *more], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def only(self, categories: Sequence[str]) -> QuestionSet:
        """The questions of some categories.

        Raises:
            DataFileError: One of them does not occur.
        """
        known = {question.category for question in self.questions}
        for category in categories:
            if category not in known:
                names = ", ".join(sorted(known - {""})) or "none"
                raise DataFileError(f"{self.name} has no category '{category}'. Its categories: {names}.")
        kept = tuple(q for q in self.questions if q.category in categories)
        return replace(self, name=f"{self.name}:{'+'.join(categories)}", questions=kept)

    def take(self, n: int, *, seed: int | None = None) -> QuestionSet:
        """The first ``n`` questions; with a seed, ``n`` drawn at random, in the set's order.

        Smaller random sets are parts of larger ones of the same seed.
        """
        if seed is None or n >= len(self.questions):
            return replace(self, questions=self.questions[:n])
        order = list(range(len(self.questions)))
        random.Random(f"take {seed}").shuffle(order)
        return replace(self, questions=tuple(self.questions[i] for i in sorted(order[:n])))

    def split(self, sizes: Sequence[int], *, seed: int) -> tuple[QuestionSet, ...]:
        """Parts at random that share no question, and no wording of one.

        Raises:
            DataFileError: There are not enough distinct questions.
        """
        distinct: dict[str, Question] = {}
        for question in self.questions:
            distinct.setdefault(" ".join(question.turns[0].query.lower().split()), question)
        order = list(distinct.values())
        if sum(sizes) > len(order):
            raise DataFileError(
                f"{self.name} has {len(order)} distinct questions and {sum(sizes)} are needed; "
                "ask for fewer, or choose a larger set."
            )
        random.Random(f"split {seed}").shuffle(order)
        parts: list[QuestionSet] = []
        at = 0
        for size in sizes:
            parts.append(replace(self, questions=tuple(order[at : at + size])))
            at += size
        return tuple(parts)

    def examples(self) -> tuple[Example, ...]:
        """Each question that has a reference, as an example: first turn and its answer."""
        firsts = [question.turns[0] for question in self.questions]
        return tuple(Example(turn.query, turn.reference) for turn in firsts if turn.reference)


def read_questions(source: Path | str) -> QuestionSet:
    """The questions of a data set; its answers become references.

    Args:
        source: A file or a data set on the Hub, as ``playground.datasets.read_data`` takes it.

    Raises:
        DataFileError: Missing, empty, or without one usable row.
    """
    data = read_data(source)
    questions = tuple(
        Question(
            record.id,
            tuple(
                Asked(query, record.answers[i] if i < len(record.answers) else "")
                for i, query in enumerate(record.queries)
            ),
            record.category,
            record.system,
            record.place,
        )
        for record in data.records
    )
    repaired = [f"Row {one.place}: {one.message}." for one in data.repaired]
    return QuestionSet(
        parse_source(source).name, questions, data.format, data.problems, notes=(*data.notes, *repaired)
    )


def pair_questions(path: Path, *, name: str = "pair") -> QuestionSet:
    """The questions that come with a bundled pair: its rows are the categories.

    ``seen`` was asked in training, ``told`` holds facts that training only told in prose, ``chinese`` is the
    former in Chinese, ``hurried`` is mistyped, ``two_turns`` asks on, ``unknown`` has no answer, and
    ``misled`` asks about what a wrong example might spoil.

    Raises:
        DataFileError: There is no such file, or it is not one.
    """
    cases = read_cases(path)
    questions = tuple(
        Question(
            f"{line}-{number}",
            tuple(
                Asked(
                    e.question,
                    e.sentences[0] if e.sentences else "",
                    e.values,
                    e.entity,
                    e.relation,
                    e.sentences,
                )
                for e in turns
            ),
            line,
            place=number,
        )
        for line, held in cases.lines.items()
        for number, turns in enumerate(held, 1)
    )
    return QuestionSet(name, questions, "pair", (), cases.rivals, cases.openings, cases.closings)


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write questions as JSONL in MT-Bench's keys (``question_id, category, turns, reference``) and ours."""
    lines = []
    for question in questions:
        row: dict[str, object] = {
            "question_id": question.id,
            "category": question.category,
            "turns": [turn.query for turn in question.turns],
        }
        if all(turn.reference for turn in question.turns):
            row["reference"] = [turn.reference for turn in question.turns]
        if question.system:
            row["system"] = question.system
        row["place"] = question.place
        row["expected"] = [
            {key: value for key, value in asdict(turn).items() if value and key != "query"}
            for turn in question.turns
        ]
        lines.append(json.dumps(row, ensure_ascii=False))
    write_private(path, "\n".join(lines) + "\n")


def stored_questions(path: Path) -> tuple[Question, ...]:
    """What ``write_questions`` wrote.

    Raises:
        DataFileError: The file is missing or was changed into something else.
    """
    found: list[Question] = []
    try:
        for line in path.read_text(encoding="utf-8", errors="surrogatepass").split("\n"):
            if not line.strip():
                continue
            row = json.loads(line)
            turns = [
                msgspec.convert({**expected, "query": query}, Asked)
                for query, expected in zip(row["turns"], row["expected"], strict=True)
            ]
            found.append(
                Question(
                    row["question_id"], tuple(turns), row["category"], row.get("system", ""), row["place"]
                )
            )
    except OSError as error:
        raise DataFileError(f"The run's questions cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise DataFileError(
            f"{path} is not as the run left it ({error!r}); start the run again elsewhere."
        ) from error
    return tuple(found)
