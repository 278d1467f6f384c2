"""Win rates at equal length: what a judge would prefer if both answers were as long, and how sure that is.

A logistic regression of the verdicts on the difference in length, read off at a difference of 0, as
AlpacaEval 2 does without its question terms (arXiv 2404.04475). Where the answers of one side are longer
throughout, a difference of 0 lies outside the data and the regression would extrapolate: there is no figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from playground.experiments.statistics import PSEUDO, Interval

DRAWS = 1_000
ABOUT_EQUAL = 0.1
"""Answers whose lengths differ by at most this share of the longer one are about equally long ..."""
ABOUT_EQUAL_CHARS = 10
"""... and so are those that differ by at most so many characters."""
LEAST_PAIRS = 3
LEAST_SHARE = 0.05
OUT_OF_RANGE = "One side's answers are longer in nearly all pairs, so equal length lies outside the data."
_RIDGE = 1e-3
_Floats = npt.NDArray[np.float64]


def in_range(gaps: Sequence[float], longer: Sequence[float] | None = None) -> bool:
    """Whether equal length lies within the data.

    On either side of it there must be at least three pairs and 5 % of all; pairs of about equal length count
    for both sides.

    Args:
        gaps: Characters of one answer less the other's, one a pair.
        longer: Characters of the longer answer of each pair; None where they are not known.
    """
    sizes = np.zeros(len(gaps)) if longer is None else np.asarray(longer, np.float64)
    slack = np.maximum(ABOUT_EQUAL_CHARS, ABOUT_EQUAL * sizes)
    d = np.asarray(gaps, np.float64)
    least = max(min(LEAST_PAIRS, len(gaps)), math.ceil(LEAST_SHARE * len(gaps)), 1)
    return bool((d <= slack).sum() >= least and (d >= -slack).sum() >= least)


def length_controlled(
    won: Sequence[float], gaps: Sequence[float], longer: Sequence[float] | None = None
) -> float | None:
    """The win rate that would be expected at equal length; None for no verdicts, or outside the data's range.

    Args:
        won: 1, 0 or 0.5 a verdict.
        gaps: Characters of the winner-to-be's answer less the other's.
        longer: See ``in_range``.
    """
    if not won or not in_range(gaps, longer):
        return None
    x, y = _design(gaps), np.asarray(won, np.float64)
    return float(_at_equal_length(x, y, np.ones((1, len(y))))[0])


def length_controlled_interval(
    won: Sequence[float],
    gaps: Sequence[float],
    questions: Sequence[str],
    longer: Sequence[float] | None = None,
    *,
    seed: int = 0,
) -> Interval | None:
    """``length_controlled`` with a 95 % interval; None where there is no figure.

    The interval is the Bayesian bootstrap's over questions, with half a pseudo-verdict for either side at
    equal length, so that it stays honest where a judge prefers the longer answer every time.

    Args:
        won: As for ``length_controlled``.
        gaps: As there.
        longer: As there.
        questions: Of each verdict; several verdicts of a question are not several questions.
        seed: Of the draws.
    """
    mean = length_controlled(won, gaps, longer)
    if mean is None:
        return None
    names = list(dict.fromkeys(questions))
    place = {name: i for i, name in enumerate(names)}
    index = np.array([place[name] for name in questions])
    draw = np.random.default_rng(seed)
    per_question = draw.standard_exponential((DRAWS, len(names)))
    shares = 1 / np.bincount(index, minlength=len(names))
    weights = np.concatenate(
        [per_question[:, index] * shares[index], draw.standard_gamma(PSEUDO, (DRAWS, 2))], axis=1
    )
    x = np.concatenate([_design(gaps), np.tile((1.0, 0.0), (2, 1))])
    y = np.concatenate([np.asarray(won, np.float64), (1.0, 0.0)])
    found = _at_equal_length(x, y, weights)
    low, high = np.percentile(found, (2.5, 97.5))
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(names))


def _design(gaps: Sequence[float]) -> _Floats:
    """A column of ones and the bounded, scaled difference in length ``[n, 2]``."""
    d = np.asarray(gaps, np.float64)
    spread = float(d.std()) or float(np.abs(d).max())
    return np.column_stack([np.ones_like(d), np.tanh(d / spread) if spread else np.zeros_like(d)])


def _at_equal_length(x: _Floats, y: _Floats, weights: _Floats) -> _Floats:
    """The fitted probability at a difference of 0 for each row of weights ``[draws, n]``.

    Newton's method; a small ridge keeps separable verdicts finite.
    """
    beta = np.zeros((len(weights), 2))
    for _ in range(100):
        p = 1 / (1 + np.exp(-beta @ x.T))
        slope = weights * p * (1 - p)
        gradient = (weights * (y - p)) @ x - _RIDGE * beta
        cross = np.einsum("dn,ni,nj->dij", slope, x, x) + _RIDGE * np.eye(2)
        step = np.linalg.solve(cross, gradient[:, :, None])[:, :, 0]
        beta = np.clip(beta + step, -30, 30)
        if float(np.abs(step).max()) < 1e-9:
            break
    fitted: _Floats = 1 / (1 + np.exp(-beta[:, 0]))
    return fitted
