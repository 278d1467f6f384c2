"""A context: the KV cache, one batch to fill, and the logits of the last decode as views.

Thin and unguarded: only the thread that owns it may call it, except ``abort``. The native library ends the
process on misuse, so every limit that it asserts is checked here first.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from playground.engines.arrays import FloatArray, IntArray
from playground.engines.batching.decoding import DecodeAbortedError, DecodeFullError
from playground.engines.llamacpp.model import Model
from playground.engines.llamacpp.native import AbortFlag, floats_at, lib, log
from playground.engines.llamacpp.sampler import Sampler
from playground.engines.spec import KvType
from playground.errors import EngineError, ModelLoadError
from playground.types import SamplingParams


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How a context is laid out. Everything here shapes the KV or the floats.

    Attributes:
        n_cells: Tokens in the KV cache, over all sequences (one pool: unified KV).
        n_seqs: Sequences that may exist at once, at most 256.
        n_batch: Most tokens of one decode. n_ubatch: of one native pass.
        n_threads: Threads for native work.
        flash_attn: Whether flash attention is used.
        k_type, v_type: Precision of the KV cache; f32 only for exact mode's.
    """

    n_cells: int
    n_seqs: int
    n_batch: int
    n_ubatch: int
    n_threads: int
    flash_attn: bool
    k_type: KvType | Literal["f32"] = "f16"
    v_type: KvType | Literal["f32"] = "f16"

    @property
    def idle_is_free(self) -> bool:
        """Never: attention costs follow the highest used cell, whoever owns it."""
        return False


def native_params(options: ContextOptions) -> object:
    """The same as the library takes it."""
    params = lib.llama_context_default_params()
    params.n_ctx = options.n_cells
    params.n_batch = options.n_batch
    params.n_ubatch = min(options.n_ubatch, options.n_batch)
    params.n_seq_max = options.n_seqs
    params.n_threads = params.n_threads_batch = options.n_threads
    params.flash_attn_type = (
        lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if options.flash_attn else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    params.type_k = getattr(lib, f"GGML_TYPE_{options.k_type.upper()}")
    params.type_v = getattr(lib, f"GGML_TYPE_{options.v_type.upper()}")
    params.kv_unified = True
    # Sliding-window layers keep every cell, or a shared prefix could not be taken up again.
    params.swa_full = True
    params.no_perf = True
    return params


class Context:
    """One native context of a model.

    Raises:
        ModelLoadError: The context could not be made, as a rule for want of memory.
    """

    def __init__(self, model: Model, options: ContextOptions) -> None:
        self.options = options
        self.n_vocab = model.vocab.size
        log.mark()
        self.handle = lib.llama_init_from_model(model.handle, native_params(options))
        if not self.handle:
            raise ModelLoadError(
                f"{model.path.name} could not be run with a context of {options.n_cells:,} tokens: "
                f"{log.reason() or 'not enough memory'}. Choose a smaller n_ctx."
            )
        self._memory = lib.llama_get_memory(self.handle)
        if not self._memory:
            self.close()
            raise ModelLoadError(
                f"{model.path.name} holds no model that continues a text; choose another file."
            )
        self._abort = AbortFlag()
        self._abort.attach(self.handle)
        size = options.n_batch
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._seq_counts = np.ones(size, np.int32)
        self._seqs = np.zeros(size, np.int32)
        # The library wants a pointer to each token's list of sequences; each list here has one entry.
        self._seq_lists = np.zeros(size + 1, np.uint64)
        self._seq_lists[:size] = self._seqs.ctypes.data + 4 * np.arange(size, dtype=np.uint64)
        self._wants = np.zeros(size, np.int8)
        self._batch = lib.llama_batch()
        self._batch.token = self._pointer(self._tokens, lib.llama_token)
        self._batch.pos = self._pointer(self._positions, lib.llama_pos)
        self._batch.n_seq_id = self._pointer(self._seq_counts, ctypes.c_int32)
        self._batch.seq_id = ctypes.cast(
            self._seq_lists.ctypes.data, ctypes.POINTER(ctypes.POINTER(lib.llama_seq_id))
        )
        self._batch.logits = self._pointer(self._wants, ctypes.c_int8)
        self._filled = 0
        self.native_s = 0.0
        # May be set from any thread; the next decode takes it over.
        self.threads = self._threads = options.n_threads

    @staticmethod
    def _pointer(array: np.ndarray[tuple[int], np.dtype[np.generic]], kind: type) -> object:
        return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))

    def sampler(self, params: SamplingParams, *, seed: int, prompt: IntArray) -> Sampler:
        """A sampler for one sample; ``prompt`` is what the repetition penalty may count."""
        return Sampler(params, seed=seed, prompt=prompt, n_vocab=self.n_vocab)

    # --- the batch

    @property
    def room(self) -> int:
        """Tokens that the batch still takes."""
        return self.options.n_batch - self._filled

    @property
    def filled(self) -> int:
        """Tokens in the batch."""
        return self._filled

    def clear_batch(self) -> None:
        """Begin a new batch."""
        self._filled = 0

    def add(self, seq: int, first_position: int, tokens: IntArray, *, logits_from: int) -> int:
        """Append a run of one sequence's tokens; returns the batch index of the first.

        Logits are wanted from the index ``logits_from`` of ``tokens`` on; ``len(tokens)`` for none.
        """
        start, count = self._filled, len(tokens)
        end = start + count
        if end > self.options.n_batch:
            raise EngineError(f"A batch of {end} tokens exceeds n_batch {self.options.n_batch}.")
        self._tokens[start:end] = tokens
        self._positions[start:end] = np.arange(first_position, first_position + count)
        self._seqs[start:end] = seq
        self._wants[start:end] = 0
        self._wants[start + logits_from : end] = 1
        self._filled = end
        return start

    def add_one(self, seq: int, position: int, token: int) -> int:
        """Append one token with its logits; returns its batch index."""
        index = self._filled
        self._tokens[index] = token
        self._positions[index] = position
        self._seqs[index] = seq
        self._wants[index] = 1
        self._filled = index + 1
        return index

    def decode(self) -> None:
        """Run the batch.

        Raises:
            DecodeFullError, DecodeAbortedError: See there.
            EngineError: The library refused the batch.
        """
        self._batch.n_tokens = self._filled
        if self.threads != self._threads:
            self._threads = self.threads
            lib.llama_set_n_threads(self.handle, self._threads, self._threads)
        started = time.perf_counter()
        result = lib.llama_decode(self.handle, self._batch)
        self.native_s += time.perf_counter() - started
        if result == 0:
            return
        if result == 1:
            raise DecodeFullError(f"The KV cache of {self.options.n_cells:,} tokens is full.")
        if result == 2:
            # The library has removed the pass that was cut off; those before it are whole.
            seqs = np.unique(self._seqs[: self._filled]).tolist()
            raise DecodeAbortedError("The decode was cancelled.", {seq: self.length(seq) for seq in seqs})
        raise EngineError(f"llama.cpp failed to decode ({result}): {log.reason() or 'no reason given'}.")

    def logits(self, rows: int) -> FloatArray:
        """Logits ``[rows, n_vocab]`` of the last decode, in the order in which they were asked for.

        A writable view of native memory, valid until the next decode.
        """
        pointer = lib.llama_get_logits(self.handle)
        return floats_at(ctypes.cast(pointer, ctypes.c_void_p).value or 0, rows, self.n_vocab)

    # --- cancelling

    def abort(self) -> None:
        """End the decode in progress; from any thread."""
        self._abort.set()

    def allow(self) -> None:
        """Allow decoding again."""
        self._abort.clear()

    # --- sequences

    def keep(self, seq: int, length: int) -> bool:
        """Cut a sequence to its first ``length`` tokens; False where the model cannot (recurrent state)."""
        return bool(lib.llama_memory_seq_rm(self._memory, seq, length, -1))

    def drop(self, seq: int) -> None:
        """Free a whole sequence; cells that others share stay."""
        lib.llama_memory_seq_rm(self._memory, seq, -1, -1)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let ``target`` share ``source``'s cells at positions [start, end): metadata only."""
        lib.llama_memory_seq_cp(self._memory, source, target, start, end)

    def length(self, seq: int) -> int:
        """Number of tokens in a sequence that starts at position 0."""
        return int(lib.llama_memory_seq_pos_max(self._memory, seq)) + 1

    def clear(self) -> None:
        """Empty the KV cache."""
        lib.llama_memory_clear(self._memory, False)

    def save(self, seq: int) -> bytearray:
        """The KV of a sequence, as the library packs it; empty if it could not."""
        size = lib.llama_state_seq_get_size(self.handle, seq)
        buffer = bytearray(size)
        view = (ctypes.c_uint8 * size).from_buffer(buffer)
        written = lib.llama_state_seq_get_data(self.handle, view, size, seq)
        return buffer if written == size else bytearray()

    def load(self, seq: int, data: bytearray) -> bool:
        """Put saved KV into a sequence, replacing it; False if there was no room or it does not fit."""
        view = (ctypes.c_uint8 * len(data)).from_buffer(data)
        return bool(lib.llama_state_seq_set_data(self.handle, view, len(data), seq))

    def close(self) -> None:
        """Free the context; again does nothing."""
        handle, self.handle = self.handle, None
        if handle:
            lib.llama_free(handle)
