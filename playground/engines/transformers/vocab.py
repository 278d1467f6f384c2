"""Tokenizing with the same meaning as the llama.cpp engine's: special tokens only where a piece allows them.

The joined text is cut at the special tokens that are allowed; what is between is left to the tokenizer with
special tokens read as plain text, fragment by fragment. Thread-safe: nothing changes after loading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer

from playground.engines.pieces import special_ranges
from playground.errors import EngineError, ModelLoadError
from playground.types import Piece

# Tokens that end a turn or a text in known families, whatever the config names besides (as llama.cpp does).
_END_TEXTS = frozenset(
    {
        *("<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>"),
        *("<|return|>", "<|call|>", "<end_of_turn>", "<end_of_utterance>", "<eos>", "</s>"),
        *("<EOT>", "[EOT]", "[EOS]"),
    }
)
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(slots=True)
class Encoded:
    """Token ids, and for each the byte of the joined text at which it starts (a BOS that was added: -1)."""

    ids: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Special:
    id: int
    text: bytes
    lstrip: bool
    rstrip: bool


class Vocab:
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
        self.size = size
        self._added_space = False
        self._pieces = self._read_pieces(json.loads(source))
        added = tokenizer.added_tokens_decoder
        self._specials = {
            token.content.encode(): _Special(number, token.content.encode(), token.lstrip, token.rstrip)
            for number, token in added.items()
            if token.special and token.content
        }
        self._special_ids = frozenset(special.id for special in self._specials.values())
        self.bos: int | None = tokenizer.bos_token_id
        with_bos = tokenizer("x")["input_ids"]
        self.add_bos = self.bos is not None and list(with_bos[:1]) == [self.bos]
        self.eos: int | None = tokenizer.eos_token_id
        ends = [*eos_ids] if self.eos is None else [self.eos, *eos_ids]
        ends += [special.id for special in self._specials.values() if special.text.decode() in _END_TEXTS]
        self.eog = tuple(dict.fromkeys(ends))
        self._eog = frozenset(self.eog)
        texts = sorted(self._specials, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, texts))) if texts else None

    def _read_pieces(self, source: dict[str, Any]) -> dict[int, bytes]:
        """The bytes of every token, by the way in which the tokenizer would decode it."""
        kinds = json.dumps([source.get("decoder"), source.get("pre_tokenizer")])
        table: dict[str, int] | None = None
        if '"ByteLevel"' in kinds:
            table = _byte_values()
        elif not any(kind in kinds for kind in ('"ByteFallback"', '"Metaspace"', "\u2581", "\\u2581")):
            raise ModelLoadError(
                "This model's tokenizer is neither byte-level nor sentence-piece; only those are supported."
            )
        self._added_space = table is None
        literal = {token["id"] for token in source.get("added_tokens") or ()}
        pieces: dict[int, bytes] = {}
        for text, number in self._tokenizer.get_vocab(with_added_tokens=True).items():
            pieces[number] = text.encode() if number in literal else _token_bytes(text, table)
        return pieces

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts that become one control token when specials are parsed."""
        return tuple(text.decode() for text in self._specials)

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return token in self._eog

    def text(self, token: int | None) -> str:
        """A token written out; empty where there is none."""
        return "" if token is None else self.piece(token).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes of a token; special ones are written out, padding of the logits is empty."""
        known = self._pieces.get(token)
        if known is None:
            if not 0 <= token < self.size:
                raise EngineError(f"Token {token} is not in the vocabulary of {self.size:,} tokens.")
            return b""
        return known

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        return b"".join(self.piece(token) for token in ids)

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> Encoded:
        """Ids of the joined text, with exactly one BOS where the model wants one."""
        joined = "".join(piece.text for piece in pieces).encode()
        encoded = Encoded()
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
                left = match.start()
                if special.lstrip:
                    left = at + len(joined[at:left].rstrip())
                if left > at:
                    yield at, left, None
                yield match.start(), match.end(), special.id
                at = match.end()
                if special.rstrip:
                    at += len(joined[at:]) - len(joined[at:].lstrip())
        if at < len(joined):
            yield at, len(joined), None

    def _encode_text(self, text: bytes, offset: int, encoded: Encoded, *, follows: bool = False) -> None:
        """Append the tokens of a fragment without special tokens.

        ``follows``: The fragment goes on from text before it, so that no space is put in front.
        """
        ids = self._following(text) if follows else self._plain(text)
        # Bytes that the tokenizer added in front are not in the text.
        at = offset - (not follows and self._adds_space(text, ids))
        starts: list[int] = []
        for token in ids:
            starts.append(min(max(at, offset), offset + len(text)))
            at += len(self.piece(token))
        for index, token in enumerate(ids):
            if token in self._special_ids and len(self.piece(token)) > 1:
                # Merging or a whole-word look-up made a control token out of plain text: cut it in two.
                cut = starts[index] - offset + 1
                while cut < len(text) and text[cut] & 0xC0 == 0x80:
                    cut += 1
                self._encode_text(text[:cut], offset, encoded, follows=follows)
                self._encode_text(text[cut:], offset + cut, encoded, follows=True)
                return
        encoded.ids.extend(ids)
        encoded.starts.extend(starts)

    def _plain(self, text: bytes) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text.decode(), add_special_tokens=False).ids
        return ids

    def _adds_space(self, text: bytes, ids: Sequence[int]) -> bool:
        """A sentence-piece tokenizer puts a space in front of each fragment that is not in the text."""
        return self._added_space and sum(len(self.piece(token)) for token in ids) == len(text) + 1

    def _following(self, text: bytes) -> list[int]:
        """Tokens of a text that others stand before: behind a line end, which is then taken off."""
        if not self._added_space:
            return self._plain(text)
        ids = self._plain(b"\n" + text)
        left = 1 + len(text) + self._adds_space(b"\n" + text, ids)
        while ids and left > len(text):
            left -= len(self.piece(ids[0]))
            ids = ids[1:]
        return ids


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
