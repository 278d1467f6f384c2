"""What verdicts add up to: win rates, mean scores, position bias, win rates at equal length, agreement.

Nothing is asked here; verdicts that did not parse are counted and left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playground.experiments.assistants import ExperimentError
from playground.experiments.judge_prompts import Preference
from playground.experiments.length_control import OUT_OF_RANGE, length_controlled_interval
from playground.experiments.statistics import UNIT, Interval, interval

_SCORES = (1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of ``verdicts.jsonl``.

    Attributes:
        first, second: The assistants in the order shown; ``second`` is empty for a score.
        score: From 1 to 10. choice: Which was preferred. Both None where ``problem`` says why.
        text: What the judge wrote.
        retry: The judge could not be asked; it is asked again on resume.
        lengths: Characters of the two answers.
        history: Earlier turns that the judge was shown; fewer than ``turn`` in runs of earlier versions.
    """

    judge: str
    aspect: str
    question: str
    turn: int
    sample: int
    first: str
    second: str
    score: float | None
    choice: Preference | None
    text: str
    problem: str | None = None
    retry: bool = False
    lengths: tuple[int, int] = (0, 0)
    history: int = 0

    @property
    def usable(self) -> bool:
        """Whether it need not be asked again: it was given, by a judge that saw the whole conversation."""
        return not self.retry and self.history == self.turn

    @property
    def key(self) -> tuple[str, str, str, int, int, str, str]:
        """What a verdict is known by."""
        return self.judge, self.aspect, self.question, self.turn, self.sample, self.first, self.second


@dataclass(frozen=True, slots=True)
class PairFigures:
    """One assistant against another under one judge and aspect.

    Attributes:
        win_rate: Of the one over the other, both orders and ties as halves, over questions.
        length_controlled: The same at equal length, see ``length_control``; None where equal length lies
            outside the data, which ``length_note`` then says.
        first_share: Of the decided verdicts, how many preferred the answer shown first; 0.5 without bias.
        flipped: Of the pairs judged in both orders, how many verdicts followed the position.
        ties, unparsable, failed, n: Verdicts.
    """

    judge: str
    aspect: str
    assistant: str
    reference: str
    win_rate: Interval | None
    length_controlled: Interval | None
    first_share: float | None
    flipped: float | None
    ties: int
    unparsable: int
    failed: int
    n: int
    length_note: str = ""


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """One assistant's scores from 1 to 10 under one judge and aspect, for a turn (0 for all)."""

    judge: str
    aspect: str
    assistant: str
    turn: int
    score: Interval | None
    unparsable: int
    failed: int
    n: int


def score_figures(verdicts: Sequence[Verdict], *, seed: int = 0) -> list[ScoreFigures]:
    """Mean scores; verdicts that did not parse are counted and left out."""
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.second:
            groups.setdefault((verdict.judge, verdict.aspect, verdict.first), []).append(verdict)
    found = []
    for (judge, aspect, name), group in groups.items():
        turns = sorted({verdict.turn for verdict in group})
        for turn in (0, *((t + 1 for t in turns) if len(turns) > 1 else ())):
            part = [v for v in group if turn in (0, v.turn + 1)]
            by_question: dict[str, list[float]] = {}
            for verdict in part:
                if verdict.score is not None:
                    by_question.setdefault(verdict.question, []).append(verdict.score)
            means = [sum(values) / len(values) for values in by_question.values()]
            found.append(
                ScoreFigures(
                    judge, aspect, name, turn, interval(means, seed=seed, limits=_SCORES),
                    _unparsable(part), _failed(part), len(part),
                )
            )  # fmt: skip
    return found


def pair_figures(verdicts: Sequence[Verdict], reference: str, *, seed: int = 0) -> list[PairFigures]:
    """Win rates over the reference; verdicts that did not parse are counted and left out."""
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.second and reference in (verdict.first, verdict.second):
            one = verdict.second if verdict.first == reference else verdict.first
            groups.setdefault((verdict.judge, verdict.aspect, one), []).append(verdict)
    return [
        _figures(judge, aspect, one, reference, group, seed) for (judge, aspect, one), group in groups.items()
    ]


def _figures(
    judge: str, aspect: str, one: str, reference: str, group: Sequence[Verdict], seed: int
) -> PairFigures:
    read = [verdict for verdict in group if verdict.choice is not None]
    wins: dict[str, list[float]] = {}
    gaps: list[float] = []
    longer: list[float] = []
    won: list[float] = []
    questions: list[str] = []
    for verdict in read:
        shown_first = verdict.first == one
        value = 0.5 if verdict.choice == "tie" else float((verdict.choice == "first") == shown_first)
        wins.setdefault(verdict.question, []).append(value)
        mine, theirs = verdict.lengths if shown_first else verdict.lengths[::-1]
        gaps.append(mine - theirs)
        longer.append(max(mine, theirs))
        won.append(value)
        questions.append(verdict.question)
    decided = [verdict for verdict in read if verdict.choice != "tie"]
    means = [sum(values) / len(values) for values in wins.values()]
    fair = length_controlled_interval(won, gaps, questions, longer, seed=seed)
    return PairFigures(
        judge, aspect, one, reference,
        interval(means, seed=seed, limits=UNIT),
        fair,
        sum(v.choice == "first" for v in decided) / len(decided) if decided else None,
        _flipped(read),
        len(read) - len(decided), _unparsable(group), _failed(group), len(group),
        OUT_OF_RANGE if fair is None and won else "",
    )  # fmt: skip


def _flipped(read: Sequence[Verdict]) -> float | None:
    """Of the pairs judged in both orders, the share whose verdict changed with the order."""
    by_pair: dict[tuple[str, int, int], list[str]] = {}
    for verdict in read:
        winner = {"first": verdict.first, "second": verdict.second, "tie": ""}[str(verdict.choice)]
        by_pair.setdefault((verdict.question, verdict.turn, verdict.sample), []).append(winner)
    both = [winners for winners in by_pair.values() if len(winners) == 2]
    return sum(winners[0] != winners[1] for winners in both) / len(both) if both else None


Vote = Literal["one", "other", "tie"]


def agreement(
    verdicts: Sequence[Verdict], votes: Mapping[tuple[str, int, str, str], Vote]
) -> tuple[float | None, int]:
    """How often judge and people prefer the same side, and on how many pairs that was compared.

    A pair's verdict is that of both orders together; where they contradict, it is a tie.

    Args:
        verdicts: Of pairs.
        votes: By question, turn from 0, and the two assistants' names.
    """
    points: dict[tuple[str, int, str, str], list[float]] = {}
    for verdict in verdicts:
        if verdict.choice is None or not verdict.second:
            continue
        for one, other, sign in ((verdict.first, verdict.second, 1), (verdict.second, verdict.first, -1)):
            key = (verdict.question, verdict.turn, one, other)
            if key in votes:
                value = {"first": 1.0, "second": -1.0, "tie": 0.0}[verdict.choice] * sign
                points.setdefault(key, []).append(value)
    same = 0
    for key, values in points.items():
        total = sum(values)
        said: Vote = "one" if total > 0 else "other" if total < 0 else "tie"
        same += said == votes[key]
    return (same / len(points) if points else None), len(points)


def read_votes(path: Path) -> dict[tuple[str, int, str, str], Vote]:
    """People's votes as MT-Bench keeps them: JSONL of ``question_id, model_a, model_b, winner, turn``.

    Of several votes on a pair the last one counts; what a winner is called besides ``model_a`` and
    ``model_b`` is a tie.

    Raises:
        ExperimentError: The file cannot be read, or a line is no vote; it is named.
    """
    votes: dict[tuple[str, int, str, str], Vote] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key = (str(row["question_id"]), int(row.get("turn", 1)) - 1, row["model_a"], row["model_b"])
            said: dict[str, Vote] = {"model_a": "one", "model_b": "other"}
            votes[key] = said.get(row["winner"], "tie")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ExperimentError(f"{path.name}, line {number} is no vote: {error!r}.") from error
    return votes


def _unparsable(verdicts: Sequence[Verdict]) -> int:
    return sum(v.problem is not None and not v.retry for v in verdicts)


def _failed(verdicts: Sequence[Verdict]) -> int:
    return sum(v.retry for v in verdicts)
