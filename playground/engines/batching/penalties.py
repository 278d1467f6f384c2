"""Logit bias and penalties, written into a row of logits; one meaning on every engine.

Plain numpy. The order is transformers': bias, repetition penalty, frequency and presence penalty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from playground.engines.arrays import FloatArray
from playground.types import SamplingParams


class Penalties:
    """Logit bias and penalties of one sample; knows which tokens were seen."""

    def __init__(self, params: SamplingParams, prompt: Iterable[int], n_vocab: int) -> None:
        bias = [(token, value) for token, value in params.logit_bias if 0 <= token < n_vocab]
        self._bias_ids = np.array([token for token, _ in bias], np.int64)
        self._bias = np.array([value for _, value in bias], np.float32)
        self._repetition = params.repetition_penalty
        self._frequency = params.frequency_penalty
        self._presence = params.presence_penalty
        repeated = self._repetition != 1.0
        seen = sorted(set(prompt)) if repeated and params.penalize_prompt else []
        self._seen: set[int] = set(seen)
        self._seen_ids = _Growing(seen)
        # Index of each output token in the two arrays below.
        self._index: dict[int, int] = {}
        self._output_ids = _Growing([])
        self._counts = _Growing([])
        self._active = repeated or bool(bias) or bool(self._frequency) or bool(self._presence)

    @property
    def active(self) -> bool:
        """Whether anything is ever changed."""
        return self._active

    def accept(self, token: int) -> None:
        """Count a token of the output."""
        if not self._active:
            return
        if self._repetition != 1.0 and token not in self._seen:
            self._seen.add(token)
            self._seen_ids.append(token)
        if self._frequency or self._presence:
            index = self._index.get(token)
            if index is None:
                self._index[token] = len(self._index)
                self._output_ids.append(token)
                self._counts.append(1)
            else:
                self._counts.values[index] += 1

    def apply(self, row: FloatArray) -> None:
        """Change a row of logits ``[n_vocab]`` in place."""
        if len(self._bias_ids):
            # Not fancy assignment: a token may be listed twice.
            np.add.at(row, self._bias_ids, self._bias)
        seen = self._seen_ids.values
        if self._repetition != 1.0 and len(seen):
            picked = row[seen]
            row[seen] = np.where(picked < 0, picked * self._repetition, picked / self._repetition).astype(
                np.float32
            )
        if len(self._output_ids.values) and (self._frequency or self._presence):
            amount = self._frequency * self._counts.values + self._presence
            row[self._output_ids.values] -= amount.astype(np.float32)


class _Growing:
    """An integer array that grows at its end without being copied each time."""

    def __init__(self, values: Sequence[int]) -> None:
        self._buffer = np.zeros(max(64, 2 * len(values)), np.int64)
        self._buffer[: len(values)] = values
        self._length = len(values)

    @property
    def values(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """A view of what is filled."""
        return self._buffer[: self._length]

    def append(self, value: int) -> None:
        """Add one at the end."""
        if self._length == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.zeros_like(self._buffer)])
        self._buffer[self._length] = value
        self._length += 1
