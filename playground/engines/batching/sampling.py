"""What every sampler does: logit bias and penalties first, then its own truncation and draw.

Plain numpy. Bias and penalties are written into the logits row, so that they mean the same on every engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.penalties import Penalties
from playground.types import SamplingParams


class TokenSampler(ABC):
    """Draws the tokens of one sample; see ``SamplingParams`` for what the options mean.

    Args:
        params: How to draw.
        prompt: Tokens that the repetition penalty may count.
        n_vocab: Size of a logits row.
    """

    def __init__(self, params: SamplingParams, prompt: IntArray, n_vocab: int) -> None:
        needs_prompt = params.repetition_penalty != 1.0 and params.penalize_prompt
        tokens: list[int] = prompt.tolist() if needs_prompt else []
        self.penalties = Penalties(params, tokens, n_vocab)

    def draw(self, context: object, index: int, row: FloatArray) -> int:
        """The next token from the logits ``row`` of batch index ``index``; bias and penalties change it."""
        self.penalties.apply(row)
        return self.draw_again(context, index, row)

    def draw_again(self, context: object, index: int, row: FloatArray) -> int:
        """As ``draw``, where the row already carries this sample's bias and penalties."""
        token = self._pick(context, index, row)
        self.penalties.accept(token)
        return token

    @abstractmethod
    def _pick(self, context: object, index: int, row: FloatArray) -> int:
        """A token by temperature, top_k, top_p and min_p."""

    def close(self) -> None:
        """Free what it holds; again does nothing."""
        return


def penalized(
    params: SamplingParams, logits: FloatArray, prompt: Sequence[int], output: Sequence[int]
) -> FloatArray:
    """A copy of a row of logits with bias and penalties; for tests and for showing what an option does."""
    row = logits.astype(np.float32, copy=True)
    penalties = Penalties(params, prompt, len(row))
    for token in output:
        penalties.accept(token)
    penalties.apply(row)
    return row


def certain(row: FloatArray) -> FloatArray:
    """The distribution of a greedy draw: all on the likeliest token."""
    probabilities = np.zeros_like(row)
    probabilities[int(row.argmax())] = 1.0
    return probabilities
