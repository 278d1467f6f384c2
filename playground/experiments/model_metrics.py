"""Metrics that ask a model about an answer: likelihood of the reference, perplexity, token shift.

Each value is a line of ``scores.jsonl`` as soon as it is known, and is never computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.engines.base import Scores
from playground.errors import PlaygroundError
from playground.experiments.journal import Journal, JournalError
from playground.experiments.questions import Question
from playground.experiments.run import Run
from playground.experiments.run_files import Answer, metric_model
from playground.experiments.shift import bare_context, shift_of
from playground.types import Origin, Piece, Prompt

LIKELIHOOD = "reference_logprob"
_ANSWER = Origin("turn", "answer")
MODEL_METRICS = {
    LIKELIHOOD: ("log-probability of the reference a token", "nats", "higher"),
    "perplexity": ("perplexity under the instruct model", "perplexity", "lower"),
    "shift": ("share of tokens shifted under the base model", "share", None),
    "shift_marginal": ("share of tokens marginal under the base model", "share", None),
    "shift_unshifted": ("share of tokens unshifted under the base model", "share", None),
}
"""By name: title, unit, which way is better. Asking for ``shift`` gives all three of its shares."""


@dataclass(frozen=True, slots=True)
class Score:
    """One line of ``scores.jsonl``; ``value`` is None with a sentence in ``error``."""

    metric: str
    assistant: str
    question: str
    turn: int
    sample: int
    value: float | None
    tokens: int = 0
    error: str | None = None

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What a finished score is known by."""
        return self.metric, self.assistant, self.question, self.turn, self.sample


def score_answers(run: Run, answers: Sequence[Answer], metrics: Sequence[str]) -> list[Score]:
    """The scores of all answers by the metrics among ``MODEL_METRICS``; those of earlier are read back.

    Raises:
        RunCancelled: The run was cancelled meanwhile.
        JournalError: The disk is full.
    """
    wanted = [name for name in metrics if name in MODEL_METRICS]
    if not wanted:
        return []
    questions = {question.id: question for question in run.plan.questions.questions}
    journal = Journal(run.folder / "scores.jsonl", Score)
    try:
        lines, _ = journal.read()
        found = {line.key: line for line in lines if line.error is None}
        todo = [
            (name, answer)
            for name in wanted
            for answer in answers
            if answer.error is None
            and answer.question in questions
            and (name, *answer.key) not in found
            and _applies(name, answer, questions[answer.question])
        ]
        run.progress.start("scoring", len(todo) + len(found), reused=len(found))
        scorer = _Scorer(run)
        for name, answer in todo:
            run.check()
            scores = scorer.score(name, answer, questions[answer.question])
            for score in scores:
                journal.append(score)
                found[score.key] = score
            run.progress.step(failed=any(score.error for score in scores))
        return list(found.values())
    finally:
        journal.close()


class _Scorer:
    """Scores one answer at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ways: dict[str, Callable[[Answer, Question], dict[str, tuple[float | None, int]]]] = {
            "reference_logprob": self._reference,
            "perplexity": self._perplexity,
            "shift": self._shift,
        }

    def score(self, name: str, answer: Answer, question: Question) -> list[Score]:
        """The lines of one metric for one answer; a failure is a line with its sentence."""
        try:
            values = self._ways[name](answer, question)
        except JournalError:
            raise
        except PlaygroundError as error:
            return [Score(name, *answer.key, None, error=str(error))]
        return [Score(part, *answer.key, value, tokens) for part, (value, tokens) in values.items()]

    def _reference(self, answer: Answer, question: Question) -> dict[str, tuple[float | None, int]]:
        prompt = self._run.prompt_of(self._run.spec(answer.assistant), question, answer.turn, answer.sample)
        engine = self._run.engine(self._run.spec(answer.assistant).model)
        target = [Piece(prompt.lead + question.turns[answer.turn].reference, _ANSWER)]
        scores = engine.score(prompt.pieces, target, exact=self._run.plan.exact, cancel=self._run.cancel)
        return {"reference_logprob": _mean_logprob(scores)}

    def _perplexity(self, answer: Answer, question: Question) -> dict[str, tuple[float | None, int]]:
        model = metric_model(self._run.plan, "perplexity", self._run.spec(answer.assistant).model)
        renderer = self._run.host.assistant(model, None).renderer
        talk = self._run.talk(self._run.spec(answer.assistant), question, answer.turn, answer.sample)
        prompt = renderer.render(talk)
        scores = self._given(model, prompt, answer)
        mean, n = _mean_logprob(scores)
        return {"perplexity": (None if mean is None else math.exp(-mean), n)}

    def _shift(self, answer: Answer, question: Question) -> dict[str, tuple[float | None, int]]:
        model = metric_model(self._run.plan, "shift", self._run.spec(answer.assistant).model)
        scores = self._given(model, bare_context(question.turns[answer.turn].query), answer)
        classes: list[str] = [shift_of(token.rank) for token in scores.tokens if token.rank is not None]
        n = len(classes)
        return {
            name: (classes.count(kind) / n if n else None, n)
            for name, kind in (
                ("shift", "shifted"),
                ("shift_marginal", "marginal"),
                ("shift_unshifted", "unshifted"),
            )
        }

    def _given(self, model: str, prompt: Prompt, answer: Answer) -> Scores:
        engine = self._run.engine(model)
        return engine.score(
            prompt.pieces,
            [Piece(answer.text, _ANSWER)],
            exact=self._run.plan.exact,
            cancel=self._run.cancel,
        )


def _applies(name: str, answer: Answer, question: Question) -> bool:
    """A reference must be there to be likely; the bare question of a shift is a first one."""
    if name == "reference_logprob":
        return bool(question.turns[answer.turn].reference)
    return bool(answer.text) and (name != "shift" or answer.turn == 0)


def _mean_logprob(scores: Scores) -> tuple[float | None, int]:
    known = [token.logprob for token in scores.tokens if token.logprob is not None]
    return (sum(known) / len(known) if known else None), len(known)
