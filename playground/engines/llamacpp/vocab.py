"""llama.cpp's tokenizer, which keeps no state; what tokenizing means is in ``batching.vocabulary``."""

from __future__ import annotations

import ctypes

from playground.engines.batching.vocabulary import FragmentVocabulary, SpecialToken
from playground.engines.llamacpp.native import lib
from playground.errors import EngineError


class Vocab(FragmentVocabulary):
    """The vocabulary of a loaded model; ``handle`` is the library's and lives as long as the model."""

    def __init__(self, handle: object) -> None:
        self._handle = handle
        self._pieces: dict[int, bytes] = {}
        size = int(lib.llama_vocab_n_tokens(handle))
        bos, eos, eot = (
            token if 0 <= (token := int(find(handle))) < size else None
            for find in (lib.llama_vocab_bos, lib.llama_vocab_eos, lib.llama_vocab_eot)
        )
        control = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
        specials: list[SpecialToken] = []
        ends: list[int] = []
        for token in range(size):
            attributes = lib.llama_vocab_get_attr(handle, token)
            if not attributes & control:
                continue
            text = lib.llama_vocab_get_text(handle, token) or b""
            if text:
                strips = (lib.LLAMA_TOKEN_ATTR_LSTRIP, lib.LLAMA_TOKEN_ATTR_RSTRIP)
                specials.append(SpecialToken(token, text, *(bool(attributes & side) for side in strips)))
            if lib.llama_vocab_is_eog(handle, token):
                ends.append(token)
        super().__init__(
            size=size,
            bos=bos,
            eos=eos,
            add_bos=bool(lib.llama_vocab_get_add_bos(handle)),
            ends=[*ends, *(token for token in (eos, eot) if token is not None)],
            specials=specials,
            adds_space=lib.llama_vocab_type(handle) == lib.LLAMA_VOCAB_TYPE_SPM,
            cuts_characters=True,
        )

    def piece(self, token: int) -> bytes:
        """The bytes of a token; special ones are written out."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._native_piece(token)
        return known

    def _native_piece(self, token: int) -> bytes:
        if not 0 <= token < self.size:
            raise EngineError(f"Token {token} is not in the vocabulary of {self.size:,} tokens.")
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            written = lib.llama_token_to_piece(self._handle, token, buffer, size, 0, True)
            if written >= 0:
                return buffer.raw[:written]
            size = -written

    def _plain(self, text: bytes) -> list[int]:
        capacity = len(text) + 8
        buffer = (ctypes.c_int32 * capacity)()
        count = lib.llama_tokenize(self._handle, text, len(text), buffer, capacity, False, False)
        if count < 0:
            capacity = -count
            buffer = (ctypes.c_int32 * capacity)()
            count = lib.llama_tokenize(self._handle, text, len(text), buffer, capacity, False, False)
        if count < 0:
            raise EngineError(f"A text of {len(text):,} bytes could not be tokenized.")
        return buffer[:count]
