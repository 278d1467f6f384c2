"""A torch model as the decode loop wants one: sequences of cells, one batch to fill, logits.

A batch is one row of tokens of any number of sequences, ``[1, n_tokens]``, with a position for each and a
mask that says which cells each may see. So requests join and leave at any step, prompts and single tokens
go through the same pass, nothing is padded, and a shared prefix lies in memory once.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.decoding import DecodeFullError
from playground.engines.transformers.cache import BatchPlace, CellCache
from playground.engines.transformers.cells import CellPool, attention_rows
from playground.engines.transformers.sampler import Sampler
from playground.errors import EngineError
from playground.types import SamplingParams


@dataclass(frozen=True, slots=True)
class TorchOptions:
    """How a context is laid out; see ``decoding.DecodeOptions``.

    Attributes:
        n_layers: Of the model. n_vocab: Width of its logits.
        sliding: How far sliding layers see back, where the model has any.
        mixed: It has both sliding and full layers.
        bool_mask: The attention takes a mask of booleans; otherwise one that is added.
    """

    n_cells: int
    n_seqs: int
    n_batch: int
    n_layers: int
    n_vocab: int
    sliding: int | None = None
    mixed: bool = False
    bool_mask: bool = True

    @property
    def idle_is_free(self) -> bool:
        """Always: a batch reads the cells of its own sequences."""
        return True


@dataclass(frozen=True, slots=True)
class _Run:
    seq: int
    first: int
    tokens: IntArray
    logits_from: int


def cache_argument(model: Any) -> str:
    """The name under which ``model.forward`` takes its KV cache.

    transformers renamed ``past_key_values`` to ``cache`` in 5.24 (`modeling_llama.py`, removal in 5.40). The
    model's own signature says which it is, because code that comes with a model may keep the old name.
    """
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class TorchContext:
    """One model's KV cells. Only the thread that owns it may call it, except ``abort``."""

    def __init__(self, model: Any, options: TorchOptions) -> None:
        self.options = options
        self.handle: object = None
        self._model: Any = model
        # May be set from any thread; the next decode takes it over, for torch keeps a number a thread.
        self.threads: int | None = None
        self._device = model.device
        self._pool = CellPool(options.n_cells)
        self._place = BatchPlace()
        self._cache = CellCache(options.n_layers, self._place, options.n_cells)
        self._cache_argument = cache_argument(model)
        self._runs: list[_Run] = []
        self._filled = 0
        self._logits: FloatArray | None = None

    def sampler(self, params: SamplingParams, *, seed: int, prompt: IntArray) -> Sampler:
        """A sampler for one sample."""
        return Sampler(params, seed=seed, prompt=prompt, n_vocab=self.options.n_vocab)

    # --- the batch

    @property
    def room(self) -> int:
        """Tokens that the batch still takes."""
        return self.options.n_batch - self._filled

    def clear_batch(self) -> None:
        """Begin a new batch."""
        self._runs.clear()
        self._filled = 0

    def add(self, seq: int, first_position: int, tokens: IntArray, *, logits_from: int) -> int:
        """Append a run of one sequence's tokens; returns the batch index of the first."""
        start = self._filled
        self._runs.append(_Run(seq, first_position, tokens, logits_from))
        self._filled += len(tokens)
        return start

    def add_one(self, seq: int, position: int, token: int) -> int:
        """Append one token with its logits; returns its batch index."""
        return self.add(seq, position, np.array([token], np.int32), logits_from=0)

    def decode(self) -> None:
        """Run the batch.

        Raises:
            DecodeFullError, DecodeAbortedError: See there.
            EngineError: The device has too little memory.
        """
        taken = self._pool.take(self._filled)
        if taken is None:
            raise DecodeFullError(f"The KV cache of {self.options.n_cells:,} tokens is full.")
        at = 0
        for run in self._runs:
            self._pool.extend(run.seq, taken[at : at + len(run.tokens)])
            at += len(run.tokens)
        try:
            self._forward(taken)
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"{self._device} has too little memory for this batch; choose a smaller n_ctx or n_batch."
            ) from error

    def _forward(self, taken: IntArray) -> None:
        if self.threads is not None and self.threads != torch.get_num_threads():
            torch.set_num_threads(self.threads)
        window = self._pool.window([run.seq for run in self._runs])
        picked = window.picked
        self._place.written = self._tensor(taken)
        self._place.window = slice(window.start, window.end) if picked is None else self._tensor(picked)
        masks: list[np.ndarray[Any, Any]] = []
        limits = [None, self.options.sliding] if self.options.mixed else [self.options.sliding]
        for sliding in limits:
            rows = [
                attention_rows(window, self._pool.cells(run.seq), run.first, len(run.tokens), sliding)
                for run in self._runs
            ]
            masks.append(np.concatenate(rows))
        positions = np.concatenate([np.arange(run.first, run.first + len(run.tokens)) for run in self._runs])
        with torch.inference_mode():
            given = [self._mask(mask) for mask in masks]
            mask = {"full_attention": given[0], "sliding_attention": given[1]} if len(given) > 1 else given[0]
            output = self._model(
                input_ids=self._tensor(np.concatenate([run.tokens for run in self._runs]))[None],
                position_ids=self._tensor(positions)[None],
                attention_mask=mask,
                **{self._cache_argument: self._cache},
                use_cache=True,
                logits_to_keep=self._tensor(self._wanted()),
            )
            self._logits = output.logits[0].float().cpu().numpy()

    def _wanted(self) -> IntArray:
        """Batch indices whose logits were asked for."""
        wanted: list[IntArray] = []
        start = 0
        for run in self._runs:
            wanted.append(np.arange(start + run.logits_from, start + len(run.tokens), dtype=np.int32))
            start += len(run.tokens)
        return np.concatenate(wanted)

    def _tensor(self, values: np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device, non_blocking=True)

    def _mask(self, mask: np.ndarray[Any, Any]) -> torch.Tensor:
        """``[1, 1, n_tokens, n_cells read]``."""
        allowed = torch.from_numpy(mask).to(self._device, non_blocking=True)[None, None]
        if self.options.bool_mask:
            return allowed
        added = torch.zeros(allowed.shape, dtype=self._model.dtype, device=self._device)
        return added.masked_fill_(~allowed, torch.finfo(self._model.dtype).min)

    def logits(self, rows: int) -> FloatArray:
        """Logits ``[rows, n_vocab]`` of the last decode, writable, valid until the next."""
        assert self._logits is not None
        assert len(self._logits) == rows
        return self._logits

    # --- cancelling

    def abort(self) -> None:
        """End the decode in progress; from any thread."""
        self._place.aborted.set()

    def allow(self) -> None:
        """Allow decoding again."""
        self._place.aborted.clear()

    # --- sequences

    def keep(self, seq: int, length: int) -> bool:
        """Cut a sequence to its first ``length`` tokens."""
        self._pool.keep(seq, length)
        return True

    def drop(self, seq: int) -> None:
        """Free a whole sequence; cells that others share stay."""
        self._pool.drop(seq)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let ``target`` share ``source``'s cells at positions [start, end)."""
        self._pool.share(source, target, start, end)

    def clear(self) -> None:
        """Empty the KV cache."""
        self._pool.clear()

    def save(self, seq: int) -> bytearray:
        """Nothing: idle texts stay in the pool while there is room, and are computed again after that."""
        return bytearray()

    def load(self, seq: int, data: bytearray) -> bool:
        """Nothing was saved."""
        return False

    def close(self) -> None:
        """Give the memory back."""
        self._model = None
        self._cache.layers.clear()
        self._pool.clear()
