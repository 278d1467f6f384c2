"""The questions of a bundled pair's evaluation, as data beside its weights: `check.jsonl`.

The first line holds the settings, every other one a case of one row of the table. Nothing is asked here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from playground.datasets import DataFileError
from playground.experiments.pair_scoring import Expected


@dataclass(frozen=True, slots=True)
class Misled:
    """An example with its right answer and the one that a confused source gives."""

    question: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Cases:
    """Everything that is asked.

    Attributes:
        lines: By row, the conversations to hold: one or two turns each.
        rivals: Every value of each relation.
        openings, closings: How the instruct model's own replies begin and end, in each language.
        unknown: Phrases that admit not to know.
        misled: Examples for the row with shuffled answers.
    """

    lines: dict[str, tuple[tuple[Expected, ...], ...]]
    rivals: dict[str, tuple[str, ...]]
    openings: tuple[str, ...]
    closings: tuple[str, ...]
    unknown: tuple[str, ...]
    misled: tuple[Misled, ...]

    def take(self, line: str, n: int) -> tuple[tuple[Expected, ...], ...]:
        """The first ``n`` conversations of a row."""
        return self.lines.get(line, ())[:n]


def read_cases(path: Path) -> Cases:
    """The cases in a file.

    Raises:
        DataFileError: There is none, or it is not what `models.wren.questions` writes.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        settings, *cases = rows
        lines: dict[str, list[tuple[Expected, ...]]] = {}
        for case in cases:
            turns = tuple(
                Expected(
                    question=turn["question"],
                    relation=turn.get("relation", ""),
                    entity=turn.get("entity", ""),
                    values=tuple(turn.get("values", ())),
                    sentences=tuple(turn.get("sentences", ())),
                )
                for turn in case["turns"]
            )
            lines.setdefault(case["line"], []).append(turns)
        return Cases(
            lines={name: tuple(held) for name, held in lines.items()},
            rivals={name: tuple(values) for name, values in settings["values"].items()},
            openings=tuple(settings["instruct_opening"]),
            closings=tuple(settings["instruct_closing"]),
            unknown=tuple(settings["unknown"]),
            misled=tuple(Misled(m["question"], m["right"], m["wrong"]) for m in settings["misled"]),
        )
    except OSError as error:
        raise DataFileError(f"There are no check questions at {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFileError(
            f"{path.name} is not a file of check questions ({error!r}); write it with models.wren.questions."
        ) from error
