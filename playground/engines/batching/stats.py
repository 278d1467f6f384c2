"""What a row of logits says about a token: log-probability, rank, entropy and the top alternatives.

Plain numpy over ``[n_vocab]`` float32 rows, in float32 except for the sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playground.engines.arrays import FloatArray, IntArray

_BLOCK = 128


@dataclass(frozen=True, slots=True)
class RowStats:
    """The distribution at one position, reduced.

    Attributes:
        log_sum: Log of the sum of exponentials: a logit minus it is a natural-log probability.
        entropy: In nats.
        top: Ids of the likeliest tokens, best first; equal ones by id.
    """

    log_sum: float
    entropy: float
    top: IntArray


def row_stats(row: FloatArray, top: int) -> RowStats:
    """The distribution of ``softmax(row)`` in a few numbers."""
    highest = float(row.max())
    shifted = row - highest
    weights = np.exp(shifted)
    total = float(weights.sum(dtype=np.float64))
    log_total = float(np.log(total))
    # H = log Z - sum(p * shifted). A banned token has weight 0 and gives 0 * -inf.
    with np.errstate(invalid="ignore"):
        expected = float(np.dot(weights, shifted)) / total
    if np.isnan(expected):
        expected = float(np.dot(weights, np.where(weights > 0, shifted, np.float32(0)))) / total
    return RowStats(highest + log_total, max(log_total - expected, 0.0), top_ids(row, top))


def rank_of(row: FloatArray, token: int) -> int:
    """1 plus the number of tokens that are strictly likelier."""
    return int(np.count_nonzero(row > row[token])) + 1


def top_ids(row: FloatArray, top: int) -> IntArray:
    """Ids of the ``top`` highest logits, best first, exactly.

    By block maxima: the k highest values lie in the k blocks with the highest maxima, so that only those
    are looked into.
    """
    size = len(row)
    top = min(top, size)
    if top <= 0:
        return np.empty(0, np.int32)
    whole = size // _BLOCK
    if whole <= 4 * top:
        candidates = np.arange(size)
    else:
        maxima = row[: whole * _BLOCK].reshape(whole, _BLOCK).max(axis=1)
        blocks = np.argpartition(maxima, whole - top)[whole - top :]
        inside = (blocks[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
        candidates = np.concatenate([inside, np.arange(whole * _BLOCK, size)])
    values = row[candidates]
    if len(candidates) > top:
        best = np.argpartition(values, len(values) - top)[len(values) - top :]
        candidates, values = candidates[best], values[best]
    order = np.lexsort((candidates, -values))
    ids: IntArray = candidates[order].astype(np.int32)
    return ids


def log_probabilities(row: FloatArray, stats: RowStats) -> FloatArray:
    """Natural-log probabilities ``[n_vocab]`` of a row, float32."""
    result: FloatArray = (row - np.float32(stats.log_sum)).astype(np.float32)
    return result
