"""Draws the next token of one sample, in transformers' order, and says what the model thought.

Bias and penalties are written into the logits row with numpy: the library's own penalties count prompt
and output in one window, while here repetition may see both and frequency and presence only the output.
Truncation and drawing run on the native chain. There ``top_k`` goes before temperature, which does not
change the order of the logits, because temperature over a whole vocabulary costs ten times as much.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.sampling import TokenSampler, certain, penalized
from playground.engines.llamacpp.native import lib
from playground.types import SamplingParams

# The library takes this one value to mean "any seed".
_ANY_SEED = 0xFFFFFFFF


def native_seed(seed: int) -> int:
    """A seed of any size as the 32 bits that the library takes, never its "any seed"."""
    folded = (seed ^ (seed >> 32)) & _ANY_SEED
    return folded if folded != _ANY_SEED else 0x5EED5EED


class Sampler(TokenSampler):
    """Draws tokens for one sample; ``close`` frees the native chain.

    Args:
        params: How to draw.
        seed: Of this sample.
        prompt: Tokens that the repetition penalty may count.
        n_vocab: Size of a logits row.
    """

    def __init__(self, params: SamplingParams, *, seed: int, prompt: IntArray, n_vocab: int) -> None:
        super().__init__(params, prompt, n_vocab)
        self._chain: object | None = None
        if params.temperature > 0:
            self._chain = _chain(params)
            lib.llama_sampler_chain_add(self._chain, lib.llama_sampler_init_dist(native_seed(seed)))

    def _pick(self, context: object, index: int, row: FloatArray) -> int:
        if self._chain is None:
            return int(row.argmax())
        return int(lib.llama_sampler_sample(self._chain, context, index))

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
    row = penalized(params, logits, prompt, output)
    if params.temperature <= 0:
        return certain(row)
    probabilities = np.zeros_like(row)
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
