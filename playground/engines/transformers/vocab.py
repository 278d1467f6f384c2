"""A fast tokenizer's vocabulary; what tokenizing means is in ``batching.vocabulary``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from playground.engines.batching.vocabulary import FragmentVocabulary, SpecialToken
from playground.errors import EngineError, ModelLoadError

# Tokens that end a turn or a text in known families, whatever the config names besides (as llama.cpp does).
_END_TEXTS = frozenset(
    {
        *("<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>"),
        *("<|return|>", "<|call|>", "<end_of_turn>", "<end_of_utterance>", "<eos>", "</s>"),
        *("<EOT>", "[EOT]", "[EOS]"),
    }
)
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Vocab(FragmentVocabulary):
    """The vocabulary of a model's fast tokenizer.

    Args:
        tokenizer: As transformers loaded it.
        size: Width of the model's logits; a tokenizer may know fewer tokens, or more.
        eos_ids: What the model's configuration names as ends of a text.

    Raises:
        ModelLoadError: The tokenizer is of a kind whose tokens cannot be turned into bytes.
    """

    def __init__(self, tokenizer: Any, size: int, eos_ids: Sequence[int]) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelLoadError(
                f"The tokenizer {type(tokenizer).__name__} has no tokenizer.json; use a model that has one."
            )
        # A copy of our own: the loaded one goes on parsing special tokens in any text.
        source: str = backend.to_str()
        self._tokenizer: Any = Tokenizer.from_str(source)
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        parsed = json.loads(source)
        table = _byte_table(parsed)
        self._pieces = self._read_pieces(parsed, table)
        specials = [
            SpecialToken(number, token.content.encode(), token.lstrip, token.rstrip)
            for number, token in tokenizer.added_tokens_decoder.items()
            if token.special and token.content
        ]
        bos: int | None = tokenizer.bos_token_id
        eos: int | None = tokenizer.eos_token_id
        ends = [*eos_ids] if eos is None else [eos, *eos_ids]
        ends += [special.id for special in specials if special.text.decode() in _END_TEXTS]
        with_bos = list(tokenizer("x")["input_ids"])
        super().__init__(
            size=size,
            bos=bos,
            eos=eos,
            add_bos=bos is not None and with_bos[:1] == [bos],
            ends=ends,
            specials=specials,
            adds_space=table is None,
            cuts_characters=False,
        )

    def _read_pieces(self, source: dict[str, Any], table: dict[str, int] | None) -> dict[int, bytes]:
        """The bytes of every token, by the way in which the tokenizer would decode it."""
        literal = {token["id"] for token in source.get("added_tokens") or ()}
        pieces: dict[int, bytes] = {}
        for text, number in self._tokenizer.get_vocab(with_added_tokens=True).items():
            pieces[number] = text.encode() if number in literal else _token_bytes(text, table)
        return pieces

    def piece(self, token: int) -> bytes:
        """The bytes of a token; special ones are written out, padding of the logits is empty."""
        known = self._pieces.get(token)
        if known is None:
            if not 0 <= token < self.size:
                raise EngineError(f"Token {token} is not in the vocabulary of {self.size:,} tokens.")
            return b""
        return known

    def _plain(self, text: bytes) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text.decode(), add_special_tokens=False).ids
        return ids


def _byte_table(source: dict[str, Any]) -> dict[str, int] | None:
    """The byte of each character of a byte-level vocabulary; None for a sentence-piece one.

    Raises:
        ModelLoadError: It is neither.
    """
    kinds = json.dumps([source.get("decoder"), source.get("pre_tokenizer")])
    if '"ByteLevel"' in kinds:
        return _byte_values()
    if not any(kind in kinds for kind in ('"ByteFallback"', '"Metaspace"', "\u2581", "\\u2581")):
        raise ModelLoadError(
            "This model's tokenizer is neither byte-level nor sentence-piece; only those are supported."
        )
    return None


def _token_bytes(text: str, table: dict[str, int] | None) -> bytes:
    """The bytes that a token of the vocabulary stands for."""
    if table is not None:
        if all(character in table for character in text):
            return bytes(table[character] for character in text)
        return text.encode()
    match = _BYTE.fullmatch(text)
    return bytes([int(match[1], 16)]) if match else text.replace("\u2581", " ").encode()


def _byte_values() -> dict[str, int]:
    """The byte that each printable character of a byte-level vocabulary stands for.

    GPT-2's table: printable characters of Latin-1 stand for themselves, the others for those from 256 on.
    """
    themselves = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [value for value in range(256) if value not in set(themselves)]
    table = {chr(value): value for value in themselves}
    return table | {chr(256 + place): value for place, value in enumerate(others)}
