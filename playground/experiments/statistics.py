"""Intervals and tests over questions: seeded, so that the same answers give the same figures.

Intervals are at 95 %. Values without known limits are resampled by question (the bootstrap of Efron and
Tibshirani, 1993, chapter 13, percentile intervals). Values with known limits, such as shares, get a
posterior interval: the Bayesian bootstrap (Rubin, 1981) with half a pseudo-question at each limit. For values
of 0 and 1 alone that is the Jeffreys interval, whose coverage is good at the edges too (Brown, Cai and
DasGupta, 2001, doi:10.1214/ss/1009213286): 40 right answers of 40 give [0.94, 1], and resampling [1, 1].
The sign test is exact and two-sided, ties left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2_000
UNIT = (0.0, 1.0)
"""Limits of a share."""
_BLOCK = 2_000_000
PSEUDO = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` questions with its 95 % interval.

    ``known`` is False where the values say nothing of their spread: all are equal (or there is one), and
    they have no limits. Then ``low`` and ``high`` are the mean and are no interval.
    """

    mean: float
    low: float
    high: float
    n: int
    known: bool = True

    def text(self) -> str:
        """The mean with its interval and ``n``, to three digits."""
        if not self.known:
            return f"{self.mean:.3g} {'(all equal) ' if self.n > 1 else ''}n={self.n}"
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}] n={self.n}"


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
        known: As in ``Interval``.
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
    known: bool = True

    def text(self) -> str:
        """The difference with its interval, to three digits."""
        if not self.known:
            return f"{self.difference:+.3g} (all equal)"
        return f"{self.difference:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def interval(
    values: Sequence[float], *, seed: int = 0, limits: tuple[float, float] | None = None
) -> Interval | None:
    """The mean of one value a question; None where there is none.

    Args:
        values: One a question.
        seed: Of the resampling.
        limits: The least and the greatest value that there can be; None where that is not known.
    """
    if not values:
        return None
    data = np.asarray(values, np.float64)
    mean = float(data.mean())
    low, high, known = _bounds(data, seed, limits)
    return Interval(mean, min(low, mean), max(high, mean), len(data), known)


def paired(
    one: Mapping[str, float],
    other: Mapping[str, float],
    *,
    seed: int = 0,
    limits: tuple[float, float] | None = None,
) -> Paired | None:
    """Compare by question; None where they share none. ``limits`` are those of each value."""
    common = [key for key in one if key in other]
    if not common:
        return None
    a = np.asarray([one[key] for key in common], np.float64)
    b = np.asarray([other[key] for key in common], np.float64)
    gap = a - b
    widest = None if limits is None else (limits[0] - limits[1], limits[1] - limits[0])
    means = _means(gap, seed, widest)
    low, high, known = _bounds(gap, seed, widest, means)
    wins, losses = int((gap > 0).sum()), int((gap < 0).sum())
    # As many resampled means beyond 0 as there could be by chance alone, on both sides.
    beyond = min(float((means <= 0).mean()), float((means >= 0).mean()))
    p = min(1.0, max(2 * beyond, 1 / RESAMPLES))
    theirs, difference = float(b.mean()), float(gap.mean())
    return Paired(
        difference, min(low, difference), max(high, difference), float(a.mean()) / theirs if theirs else None,
        wins, losses, len(common) - wins - losses, p, sign_test(wins, losses), len(common), known,
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


def _bounds(
    data: npt.NDArray[np.float64],
    seed: int,
    limits: tuple[float, float] | None,
    means: npt.NDArray[np.float64] | None = None,
) -> tuple[float, float, bool]:
    """The interval's ends, and whether the values tell them."""
    if limits is None and (len(data) < 2 or float(np.ptp(data)) == 0.0):
        return float(data[0]), float(data[0]), False
    low, high = np.percentile(_means(data, seed, limits) if means is None else means, (2.5, 97.5))
    return float(low), float(high), True


def _means(
    data: npt.NDArray[np.float64], seed: int, limits: tuple[float, float] | None
) -> npt.NDArray[np.float64]:
    """``RESAMPLES`` plausible means, in blocks so that memory stays flat.

    Without limits each is the mean of a draw with replacement; with them a mean under random weights
    (Dirichlet) of the values and of a pseudo-value at each limit.
    """
    draw = np.random.default_rng(seed)
    rows = max(1, min(RESAMPLES, _BLOCK // (len(data) + 2)))
    means: list[npt.NDArray[np.float64]] = []
    left = RESAMPLES
    while left:
        size = min(rows, left)
        if limits is None:
            means.append(data[draw.integers(0, len(data), (size, len(data)))].mean(axis=1))
        else:
            means.append(draw.dirichlet([*np.ones(len(data)), PSEUDO, PSEUDO], size) @ [*data, *limits])
        left -= size
    return np.concatenate(means)
