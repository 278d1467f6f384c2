"""Draws the next token of one sample with numpy; the same meaning as the native chain of llama.cpp.

Bias and penalties, then temperature, top_k, top_p, min_p. Nothing is sorted that need not be: a vocabulary
of 152k is looked at as a whole only for its sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.sampling import TokenSampler, certain, penalized
from playground.engines.batching.stats import top_ids
from playground.types import SamplingParams

_FIRST_LOOK = 256


class Sampler(TokenSampler):
    """Draws tokens for one sample.

    Args:
        params: How to draw.
        seed: Of this sample, of any size.
        prompt: Tokens that the repetition penalty may count.
        n_vocab: Size of a logits row.
    """

    def __init__(self, params: SamplingParams, *, seed: int, prompt: IntArray, n_vocab: int) -> None:
        super().__init__(params, prompt, n_vocab)
        self._params = params
        self._random = np.random.default_rng(seed & 0xFFFFFFFFFFFFFFFF)

    def _pick(self, context: object, index: int, row: FloatArray) -> int:
        if self._params.temperature <= 0:
            return int(row.argmax())
        ids, weights = candidates(self._params, row)
        sums = np.cumsum(weights)
        place = int(np.searchsorted(sums, self._random.random() * sums[-1], side="right"))
        return int(ids[min(place, len(ids) - 1)])


def candidates(
    params: SamplingParams, row: FloatArray
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    """The ids that may be drawn from a row after penalties, and their weights (not normalised)."""
    highest = row.max()
    ids: npt.NDArray[np.integer]
    if params.top_k > 0:
        ids = top_ids(row, params.top_k)
        weights = _weights(row[ids], highest, params.temperature)
        if params.top_p < 1:
            ids, weights = _nucleus(ids, weights, params.top_p * float(weights.sum()))
    elif params.top_p < 1:
        total = float(_weights(row, highest, params.temperature).sum())
        look = _FIRST_LOOK
        while True:
            ids = top_ids(row, look)
            weights = _weights(row[ids], highest, params.temperature)
            if float(weights.sum()) >= params.top_p * total or look >= len(row):
                break
            look *= 8
        ids, weights = _nucleus(ids, weights, params.top_p * total)
    else:
        ids = np.arange(len(row))
        weights = _weights(row, highest, params.temperature)
    if params.min_p > 0:
        # The likeliest token's weight is 1.
        kept = weights >= params.min_p
        ids, weights = ids[kept], weights[kept]
    return ids, weights


def _weights(logits: FloatArray, highest: np.float32, temperature: float) -> npt.NDArray[np.float64]:
    """Probabilities relative to the likeliest token's."""
    return np.exp((logits - highest).astype(np.float64) / temperature)


def _nucleus(
    ids: npt.NDArray[np.integer], weights: npt.NDArray[np.float64], enough: float
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    """The first of some ids, likeliest first, whose weights together reach ``enough``."""
    count = int(np.searchsorted(np.cumsum(weights), enough, side="left")) + 1
    return ids[:count], weights[:count]


def next_distribution(
    params: SamplingParams, logits: FloatArray, prompt: Sequence[int], output: Sequence[int]
) -> FloatArray:
    """Probabilities ``[n_vocab]`` from which the next token is drawn, by the sampler itself; for tests."""
    row = penalized(params, logits, prompt, output)
    if params.temperature <= 0:
        return certain(row)
    probabilities = np.zeros_like(row)
    ids, weights = candidates(params, row)
    probabilities[ids] = weights / weights.sum()
    return probabilities
