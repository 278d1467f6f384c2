"""What the decode loop asks of a model: sequences of KV cells, one batch to fill, logits, samplers.

The loop, its lanes and its store of lines know nothing else of a model, so that llama.cpp's native context
and the torch one are run by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.sampling import TokenSampler
from playground.errors import EngineError
from playground.types import SamplingParams


class DecodeFullError(EngineError):
    """The KV cache has no room for the batch; nothing was changed."""


class DecodeAbortedError(EngineError):
    """The decode was cancelled; what it wrote must be removed by the caller.

    ``kept`` tells for sequences of the batch how many tokens are complete in the cache all the same; without
    it, as many as before.
    """

    def __init__(self, message: str, kept: Mapping[int, int] | None = None) -> None:
        super().__init__(message)
        self.kept: Mapping[int, int] = kept or {}


class Vocabulary(Protocol):
    """Tokens as bytes, and which of them end a text."""

    size: int

    def piece(self, token: int) -> bytes:
        """The bytes of a token; special ones are written out."""
        ...

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation."""
        ...


class DecodeOptions(Protocol):
    """How the KV cache is laid out."""

    @property
    def n_cells(self) -> int:
        """Tokens in the KV cache, over all sequences."""
        ...

    @property
    def n_seqs(self) -> int:
        """Sequences that may exist at once."""
        ...

    @property
    def n_batch(self) -> int:
        """Most tokens of one decode."""
        ...

    @property
    def idle_is_free(self) -> bool:
        """Whether lines that are not being continued cost nothing while they stay in the cache."""
        ...


class DecodeContext(Protocol):
    """The KV cache and the batch. Only the thread that owns it may call it, except ``abort``."""

    @property
    def options(self) -> DecodeOptions:
        """Its layout."""
        ...

    @property
    def handle(self) -> object:
        """What samplers are given to draw from."""
        ...

    @property
    def room(self) -> int:
        """Tokens that the batch still takes."""
        ...

    def sampler(self, params: SamplingParams, *, seed: int, prompt: IntArray) -> TokenSampler:
        """A sampler for one sample; ``prompt`` is what the repetition penalty may count."""
        ...

    def clear_batch(self) -> None:
        """Begin a new batch."""
        ...

    def add(self, seq: int, first_position: int, tokens: IntArray, *, logits_from: int) -> int:
        """Append a run of one sequence's tokens; returns the batch index of the first.

        Logits are wanted from the index ``logits_from`` of ``tokens`` on; ``len(tokens)`` for none.
        """
        ...

    def add_one(self, seq: int, position: int, token: int) -> int:
        """Append one token with its logits; returns its batch index."""
        ...

    def decode(self) -> None:
        """Run the batch.

        Raises:
            DecodeFullError, DecodeAbortedError: See there.
        """
        ...

    def logits(self, rows: int) -> FloatArray:
        """Logits ``[rows, n_vocab]`` of the last decode, writable, valid until the next."""
        ...

    def abort(self) -> None:
        """End the decode in progress; from any thread."""
        ...

    def allow(self) -> None:
        """Allow decoding again."""
        ...

    def keep(self, seq: int, length: int) -> bool:
        """Cut a sequence to its first ``length`` tokens; False where the model cannot."""
        ...

    def drop(self, seq: int) -> None:
        """Free a whole sequence; cells that others share stay."""
        ...

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let ``target`` share ``source``'s cells at positions [start, end)."""
        ...

    def clear(self) -> None:
        """Empty the KV cache."""
        ...

    def save(self, seq: int) -> bytearray:
        """The KV of a sequence; empty if it cannot be saved."""
        ...

    def load(self, seq: int, data: bytearray) -> bool:
        """Put saved KV into a sequence, replacing it; False if there was no room or it does not fit."""
        ...
