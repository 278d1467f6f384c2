"""Loads the weights of a GGUF and says what they are."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

from playground.engines.base import NO_EMBEDDINGS, EngineInfo
from playground.engines.llamacpp.gguf_header import GgufHeader
from playground.engines.llamacpp.native import lib, log, read_whole_file
from playground.engines.llamacpp.vocab import Vocab
from playground.engines.memory import load_failure
from playground.errors import ModelLoadError

_LARGEST_CHECKED_BYTES = 1 << 30


class Model:
    """Weights and vocabulary. ``close`` frees them; use after that is a crash, so the engine guards it.

    Args:
        path: The GGUF file.
        header: Its header, checked.
        check_tensors: Read every weight and refuse broken ones (only up to 1 GiB, as it takes time).
        n_gpu_layers: Layers that a GPU holds; None leaves it to the library.
        extra_buffers: Let the library lay weights out anew for this CPU; None leaves it to the library.
        use_mmap: Let the system read the file as it is used, instead of into memory at once.
        progress: Called with the fraction loaded, 0 to 1, from this thread.

    Raises:
        ModelLoadError: With one sentence that says what is wrong with the file.
    """

    def __init__(
        self,
        path: Path,
        header: GgufHeader,
        *,
        check_tensors: bool = True,
        n_gpu_layers: int | None = None,
        extra_buffers: bool | None = None,
        use_mmap: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        started = time.perf_counter()
        self.path = path
        self.header = header
        log.start()
        log.mark()
        params = lib.llama_model_default_params()
        params.check_tensors = check_tensors and self.header.size_bytes <= _LARGEST_CHECKED_BYTES
        if n_gpu_layers is not None:
            params.n_gpu_layers = n_gpu_layers
        if extra_buffers is not None:
            params.use_extra_bufts = extra_buffers
        if not use_mmap:
            read_whole_file(params)

        def report(fraction: float, _data: object) -> bool:
            if progress is not None:
                progress(fraction)
            return True

        callback = lib.llama_progress_callback(report)
        params.progress_callback = callback
        self.handle = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise ModelLoadError(load_failure(path.name, log.reason(), self.header.size_bytes))
        if not self._continues_text():
            self.close()
            raise ModelLoadError(f"{path.name} holds no model that continues a text; choose another file.")
        self.vocab = Vocab(lib.llama_model_get_vocab(self.handle))
        self.load_s = time.perf_counter() - started

    def _continues_text(self) -> bool:
        """Whether it is a decoder over text, left to right; embedders and translators are not."""
        vocab = lib.llama_model_get_vocab(self.handle)
        return bool(
            vocab
            and lib.llama_vocab_type(vocab) != lib.LLAMA_VOCAB_TYPE_NONE
            and lib.llama_model_has_decoder(self.handle)
            and not lib.llama_model_has_encoder(self.handle)
            and not lib.llama_model_is_diffusion(self.handle)
        )

    @property
    def n_ctx_train(self) -> int:
        """Context that the model was trained for."""
        return int(lib.llama_model_n_ctx_train(self.handle))

    @property
    def can_rewind(self) -> bool:
        """Whether the last tokens of a text can be taken back (recurrent states cannot)."""
        return not (lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle))

    def info(self, *, n_ctx: int, load_s: float) -> EngineInfo:
        """The engine's description of this model."""
        vocab = self.vocab
        name = str(self.header.values.get("general.name") or "") or self.path.stem
        return EngineInfo(
            name=name,
            engine="llama.cpp",
            n_ctx=n_ctx,
            n_ctx_train=self.n_ctx_train,
            n_vocab=vocab.size,
            add_bos=vocab.add_bos,
            bos_id=vocab.bos,
            eos_ids=vocab.eog,
            special_tokens=vocab.special_texts,
            chat_template=self._text(lib.llama_model_chat_template(self.handle, None)),
            bos_text="" if vocab.bos is None else vocab.text(vocab.bos),
            eos_text="" if vocab.eos is None else vocab.text(vocab.eos),
            architecture=self.header.architecture,
            parameters=int(lib.llama_model_n_params(self.handle)),
            size_bytes=int(lib.llama_model_size(self.handle)),
            load_s=load_s,
            capabilities=("generate", "resume", "score", "score_full", "logprobs", "exact"),
            lacks=(("embed", NO_EMBEDDINGS),),
            device="gpu" if lib.llama_supports_gpu_offload() else "cpu",
            dtype=self._dtype(),
        )

    def _dtype(self) -> str:
        """In what numbers most weights are, by the library's names: ``F16``, ``Q4_K_M`` ...; "" if unsaid."""
        said = self.header.values.get("general.file_type")
        for name in dir(lib):
            if name.startswith("LLAMA_FTYPE_") and getattr(lib, name) == said:
                return name.removeprefix("LLAMA_FTYPE_").removeprefix("ALL_").removeprefix("MOSTLY_")
        return ""

    @staticmethod
    def _text(value: bytes | ctypes.c_char_p | None) -> str | None:
        raw = value.value if isinstance(value, ctypes.c_char_p) else value
        return raw.decode("utf-8", "replace") if raw else None

    def close(self) -> None:
        """Free the weights; again does nothing."""
        handle, self.handle = self.handle, None
        if handle:
            lib.llama_model_free(handle)
