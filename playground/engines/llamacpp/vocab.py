"""Tokenizing: pieces to ids and their places in the text, ids to bytes.

The joined text is tokenized as a whole, except that special tokens are cut out first, and only where a
piece allows them. What is between is left to the native tokenizer with special tokens off, fragment by
fragment, which is what the library itself does (``tokenizer_st_partition`` in its llama-vocab.cpp).
Thread-safe: a vocabulary never changes and the native tokenizer keeps no state.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from playground.engines.llamacpp.native import lib
from playground.engines.pieces import special_ranges
from playground.errors import EngineError
from playground.types import Piece


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each the byte of the joined text at which it starts (a BOS that was added: -1)."""

    ids: list[int]
    starts: list[int]


@dataclass(frozen=True, slots=True)
class _Special:
    id: int
    text: bytes
    lstrip: bool
    rstrip: bool


class Vocab:
    """The vocabulary of a loaded model; ``handle`` is the library's and lives as long as the model."""

    def __init__(self, handle: object) -> None:
        self._handle = handle
        self.size = int(lib.llama_vocab_n_tokens(handle))
        self.add_bos = bool(lib.llama_vocab_get_add_bos(handle))
        self.bos = self._known(lib.llama_vocab_bos(handle))
        self.eos = self._known(lib.llama_vocab_eos(handle))
        # A sentence-piece tokenizer puts a space in front of each fragment that is not in the text.
        self._is_spm = lib.llama_vocab_type(handle) == lib.LLAMA_VOCAB_TYPE_SPM
        self._pieces: dict[int, bytes] = {}
        control = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
        specials: list[_Special] = []
        eog: list[int] = []
        for token in range(self.size):
            attributes = lib.llama_vocab_get_attr(handle, token)
            if not attributes & control:
                continue
            text = lib.llama_vocab_get_text(handle, token) or b""
            if text:
                specials.append(
                    _Special(
                        token,
                        text,
                        bool(attributes & lib.LLAMA_TOKEN_ATTR_LSTRIP),
                        bool(attributes & lib.LLAMA_TOKEN_ATTR_RSTRIP),
                    )
                )
            if lib.llama_vocab_is_eog(handle, token):
                eog.append(token)
        for end in (self.eos, self._known(lib.llama_vocab_eot(handle))):
            if end is not None and end not in eog:
                eog.append(end)
        self.eog = tuple(eog)
        self._eog = frozenset(eog)
        self._specials = {special.text: special for special in specials}
        self._special_ids = frozenset(special.id for special in specials)

    def _known(self, token: int) -> int | None:
        return token if 0 <= token < self.size else None

    @cached_property
    def special_texts(self) -> tuple[str, ...]:
        """Texts that become one control token when specials are parsed."""
        return tuple(text.decode("utf-8", "replace") for text in self._specials)

    @cached_property
    def _pattern(self) -> re.Pattern[bytes] | None:
        # Longest first, as the library looks for them.
        texts = sorted(self._specials, key=len, reverse=True)
        return re.compile(b"|".join(map(re.escape, texts))) if texts else None

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return token in self._eog

    def text(self, token: int) -> str:
        """A token written out, special ones too."""
        return self.piece(token).decode("utf-8", "replace")

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

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        return b"".join(self.piece(token) for token in ids)

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> Encoded:
        """Ids of the joined text, with exactly one BOS where the model wants one."""
        joined = "".join(piece.text for piece in pieces).encode()
        encoded = Encoded([], [])
        for at, end, special in self._fragments(joined, special_ranges(pieces)):
            if special is not None:
                encoded.ids.append(special)
                encoded.starts.append(at)
            else:
                self._encode_text(joined[at:end], at, encoded)
        if add_bos and self.add_bos and self.bos is not None and encoded.ids[:1] != [self.bos]:
            encoded.ids.insert(0, self.bos)
            encoded.starts.insert(0, -1)
        return encoded

    def _fragments(
        self, joined: bytes, allowed: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int, int | None]]:
        """Stretches ``(start, end, special id or None)`` of the joined text, in order."""
        at = 0
        for start, end in allowed if self._pattern is not None else ():
            assert self._pattern is not None
            for match in self._pattern.finditer(joined, start, end):
                special = self._specials[match[0]]
                left, right = match.start(), match.end()
                if special.lstrip:
                    left = at + len(joined[at:left].rstrip())
                if left > at:
                    yield at, left, None
                yield match.start(), right, special.id
                at = right
                if special.rstrip:
                    at += len(joined[right:]) - len(joined[right:].lstrip())
        if at < len(joined):
            yield at, len(joined), None

    def _encode_text(self, text: bytes, offset: int, encoded: Encoded, *, follows: bool = False) -> None:
        """Append the tokens of a fragment without special tokens.

        ``follows``: The fragment goes on from text before it, so that no space is put in front.
        """
        ids = self._following(text) if follows else self._native(text)
        # Bytes that the tokenizer added in front are not in the text.
        at = offset - (not follows and self._is_spm and self._adds_space(text, ids))
        starts: list[int] = []
        for token in ids:
            starts.append(min(max(at, offset), offset + len(text)))
            at += len(self.piece(token))
        for index, token in enumerate(ids):
            if token in self._special_ids and len(self.piece(token)) > 1:
                # Merging or a whole-word look-up made a control token out of plain text: cut it in two.
                cut = starts[index] - offset + 1
                self._encode_text(text[:cut], offset, encoded, follows=follows)
                self._encode_text(text[cut:], offset + cut, encoded, follows=True)
                return
        encoded.ids.extend(ids)
        encoded.starts.extend(starts)

    def _adds_space(self, text: bytes, ids: Sequence[int]) -> bool:
        return sum(len(self.piece(token)) for token in ids) == len(text) + 1

    def _following(self, text: bytes) -> list[int]:
        """Tokens of a text that others stand before: behind a line end, which is then taken off."""
        if not self._is_spm:
            return self._native(text)
        ids = self._native(b"\n" + text)
        wanted = 1 + len(text) + self._adds_space(b"\n" + text, ids)
        while ids and wanted > len(text):
            wanted -= len(self.piece(ids[0]))
            ids = ids[1:]
        return ids

    def _native(self, text: bytes) -> list[int]:
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
