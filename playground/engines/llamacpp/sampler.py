"""Draws the next token of one sample, in transformers' order, and says what the model thought.

Bias and penalties are written into the logits row with numpy: the library's own penalties count prompt
and output in one window, while here repetition may see both and frequency and presence only the output.
Truncation and drawing run on the native chain. There ``top_k`` goes before temperature, which does not
change the order of the logits, because temperature over a whole vocabulary costs ten times as much.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence

import numpy as np

from playground.engines.llamacpp.native import FloatArray, IntArray, lib
from playground.types import SamplingParams

# The library takes this one value to mean "any seed".
_ANY_SEED = 0xFFFFFFFF


def native_seed(seed: int) -> int:
    """A seed of any size as the 32 bits that the library takes, never its "any seed"."""
    folded = (seed ^ (seed >> 32)) & _ANY_SEED
    return folded if folded != _ANY_SEED else 0x5EED5EED


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


class Sampler:
    """Draws tokens for one sample; ``close`` frees the native chain.

    Args:
        params: How to draw.
        seed: Of this sample.
        prompt: Tokens that the repetition penalty may count.
        n_vocab: Size of a logits row.
    """

    def __init__(self, params: SamplingParams, *, seed: int, prompt: IntArray, n_vocab: int) -> None:
        needs_prompt = params.repetition_penalty != 1.0 and params.penalize_prompt
        tokens: list[int] = prompt.tolist() if needs_prompt else []
        self.penalties = Penalties(params, tokens, n_vocab)
        self._chain: object | None = None
        if params.temperature > 0:
            self._chain = _chain(params)
            lib.llama_sampler_chain_add(self._chain, lib.llama_sampler_init_dist(native_seed(seed)))

    @property
    def greedy(self) -> bool:
        """Whether the arg max is taken."""
        return self._chain is None

    def draw(self, context: object, index: int, row: FloatArray) -> int:
        """The next token, drawn from the logits of batch index ``index``, whose view is ``row``.

        The row is changed by bias and penalties.
        """
        self.penalties.apply(row)
        return self.draw_again(context, index, row)

    def draw_again(self, context: object, index: int, row: FloatArray) -> int:
        """As ``draw``, where the row already carries this sample's bias and penalties."""
        token = int(
            row.argmax() if self._chain is None else lib.llama_sampler_sample(self._chain, context, index)
        )
        self.penalties.accept(token)
        return token

    def close(self) -> None:
        """Free the chain; again does nothing."""
        chain, self._chain = self._chain, None
        if chain is not None:
            lib.llama_sampler_free(chain)


def _chain(params: SamplingParams) -> object:
    """The native samplers that change the distribution, without the draw."""
    chain: object = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    if params.top_k > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(params.top_k))
    if params.temperature != 1.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(params.temperature))
    if params.top_p < 1.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_min_p(params.min_p, 1))
    return chain


def next_distribution(
    params: SamplingParams, logits: FloatArray, prompt: Sequence[int], output: Sequence[int]
) -> FloatArray:
    """Probabilities ``[n_vocab]`` from which the next token is drawn, by the samplers themselves.

    For tests and for showing what an option does; ``logits`` is not changed.
    """
    row = logits.astype(np.float32, copy=True)
    penalties = Penalties(params, prompt, len(row))
    for token in output:
        penalties.accept(token)
    penalties.apply(row)
    probabilities = np.zeros_like(row)
    if params.temperature <= 0:
        probabilities[int(row.argmax())] = 1.0
        return probabilities
    candidates = (lib.llama_token_data * len(row))()
    table = np.frombuffer(candidates, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
    table["id"] = np.arange(len(row))
    table["logit"] = row
    array = lib.llama_token_data_array(candidates, len(row), -1, False)
    chain = _chain(params)
    lib.llama_sampler_apply(chain, ctypes.byref(array))
    lib.llama_sampler_free(chain)
    kept = table[: array.size]
    weights = np.exp(kept["logit"] - kept["logit"].max())
    probabilities[kept["id"]] = weights / weights.sum()
    return probabilities
