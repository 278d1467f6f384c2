"""Intervals and tests over questions: seeded, so that the same answers give the same figures.

The bootstrap resamples questions (Efron and Tibshirani, 1993, chapters 13 and 16); intervals are percentile
ones at 95 %. The sign test is exact and two-sided, ties left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2_000
_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` questions with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Paired:
    """One assistant against another on the questions that both answered.

    Attributes:
        difference, low, high: Mean of one minus the other, with its 95 % interval.
        ratio: Of the two means; None where the other's is 0.
        wins, losses, ties: Questions where the one is above, below, the same.
        p_bootstrap: Two-sided, from the share of resampled means on the other side of 0; at least 1/2000.
        p_sign: Of the exact sign test; 1.0 where all are ties.
        n: Questions.
    """

    difference: float
    low: float
    high: float
    ratio: float | None
    wins: int
    losses: int
    ties: int
    p_bootstrap: float
    p_sign: float
    n: int


def interval(values: Sequence[float], *, seed: int = 0) -> Interval | None:
    """The mean of one value a question; None where there is none."""
    if not values:
        return None
    data = np.asarray(values, np.float64)
    means = _resampled(data, seed)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(data.mean()), float(low), float(high), len(data))


def paired(one: Mapping[str, float], other: Mapping[str, float], *, seed: int = 0) -> Paired | None:
    """Compare by question; None where they share none."""
    common = [key for key in one if key in other]
    if not common:
        return None
    a = np.asarray([one[key] for key in common], np.float64)
    b = np.asarray([other[key] for key in common], np.float64)
    gap = a - b
    means = _resampled(gap, seed)
    low, high = np.percentile(means, (2.5, 97.5))
    wins, losses = int((gap > 0).sum()), int((gap < 0).sum())
    # As many resampled means beyond 0 as there could be by chance alone, on both sides.
    beyond = min(float((means <= 0).mean()), float((means >= 0).mean()))
    p = min(1.0, max(2 * beyond, 1 / RESAMPLES))
    theirs = float(b.mean())
    return Paired(
        float(gap.mean()), float(low), float(high), float(a.mean()) / theirs if theirs else None,
        wins, losses, len(common) - wins - losses, p, sign_test(wins, losses), len(common),
    )  # fmt: skip


def sign_test(wins: int, losses: int) -> float:
    """Two-sided probability of a split at least as uneven by tosses of a fair coin."""
    n = wins + losses
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**n))


def per_question(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The mean of each question's values: several samples of one question are not several questions."""
    grouped: dict[str, list[float]] = {}
    for question, value in values:
        grouped.setdefault(question, []).append(value)
    return {question: sum(group) / len(group) for question, group in grouped.items()}


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """A distribution in seven figures; empty for no values."""
    if not values:
        return {}
    at = (0, 10, 25, 50, 75, 90, 100)
    found = np.percentile(np.asarray(values, np.float64), at)
    return {f"p{k}": float(value) for k, value in zip(at, found, strict=True)}


def _resampled(data: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Means of ``RESAMPLES`` draws with replacement, in blocks so that memory stays flat."""
    draw = np.random.default_rng(seed)
    rows = max(1, min(RESAMPLES, _BLOCK // len(data)))
    means: list[npt.NDArray[np.float64]] = []
    left = RESAMPLES
    while left:
        size = min(rows, left)
        means.append(data[draw.integers(0, len(data), (size, len(data)))].mean(axis=1))
        left -= size
    return np.concatenate(means)
