"""How much a plan will ask for, told before it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.experiments.model_metrics import LIKELIHOOD
from playground.experiments.run_files import Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much a plan asks for; ``most`` says that it is at most so many.

    Attributes:
        assistants, questions: How many.
        answers: Generations, over all turns and samples.
        scores: Forwards that score a text.
    """

    assistants: int
    questions: int
    answers: int
    scores: int
    most: bool = False


def estimate(plan: Plan) -> Estimate:
    """How much a plan asks for, told without asking anything."""
    questions = plan.questions.questions
    turns = sum(len(question.turns) for question in questions) * plan.samples
    if plan.kind == "search":
        return _search_estimate(plan)
    if plan.kind == "candidates":
        return _wording_estimate(plan)
    n = len(plan.assistants)
    answers = n * turns
    firsts = n * len(questions) * plan.samples
    referenced = n * plan.samples * sum(bool(turn.reference) for q in questions for turn in q.turns)
    needs = {"perplexity": answers, "shift": firsts, LIKELIHOOD: referenced}
    scores = sum(number for metric, number in needs.items() if metric in plan.metrics)
    return Estimate(n, len(questions), answers, scores)


def _search_estimate(plan: Plan) -> Estimate:
    options = plan.options
    pool, most = _number(options, "pool"), _number(options, "most")
    validation, test, halving = (_number(options, key) for key in ("validation", "test", "halving"))
    pairs = sum(_round_pairs(pool - chosen, validation, halving) for chosen in range(min(most, pool)))
    pairs = min(pairs, _number(options, "budget") or pairs)
    asked = validation + 2 * pairs + 3 * test * (2 if options.get("transfer") else 1)
    by_likelihood = options.get("metric") == LIKELIHOOD
    return Estimate(
        1, len(plan.questions.questions), 0 if by_likelihood else asked, asked if by_likelihood else 0, True
    )


def _round_pairs(candidates: int, validation: int, halving: int) -> int:
    n, left, pairs = halving or validation, candidates, 0
    while True:
        n = min(n, validation)
        pairs += n * left
        if n == validation:
            return pairs
        left, n = max(1, (left + 1) // 2), 2 * n


def _wording_estimate(plan: Plan) -> Estimate:
    options = plan.options
    texts, found, wanted = (_number(options, key) for key in ("texts", "mined", "paraphrases"))
    written = wanted * max(1, texts)
    candidates = texts + found + written + 1
    validation, test = _number(options, "validation"), _number(options, "test")
    measured = min(candidates, (_number(options, "keep") or candidates) + 1) if options.get("metric") else 0
    answers = written + measured * validation + (3 * test if measured else 0)
    return Estimate(
        candidates, len(plan.questions.questions), answers, candidates * validation + 3 * test, True
    )


def _number(options: Mapping[str, object], key: str) -> int:
    """An option's number, or how many it lists."""
    value = options.get(key, 0)
    return value if isinstance(value, int) else len(value) if isinstance(value, (list, tuple)) else 0
