"""Tokenizing with one meaning on every engine: pieces to ids and their places in the text, ids to bytes.

The joined text is tokenized as a whole, except that special tokens are cut out first, and only where a
piece allows them. What is between is left to the engine's own tokenizer with special tokens read as plain
text, fragment by fragment, which is what llama.cpp itself does (``tokenizer_st_partition`` in its
llama-vocab.cpp). Thread-safe: a vocabulary never changes.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from playground.engines.pieces import joined_bytes, special_ranges
from playground.types import Piece


@dataclass(slots=True)
class Encoded:
    """Token ids, and for each the byte of the joined text at which it starts (a BOS that was added: -1)."""

    ids: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SpecialToken:
    """A control token, and whether it takes the blanks on its sides with it."""

    id: int
    text: bytes
    lstrip: bool = False
    rstrip: bool = False


class FragmentVocabulary(ABC):
    """A vocabulary whose tokenizer is given fragments of plain text.

    Args:
        size: Width of the model's logits.
        bos: Put in front of a text where ``add_bos``. eos: Ends a text.
        ends: All tokens that end a generation.
        specials: Control tokens.
        adds_space: The tokenizer may put a space in front of a fragment that is not in the text
            (sentence-piece).
        cuts_characters: The tokenizer takes half a character.
    """

    def __init__(
        self,
        *,
        size: int,
        bos: int | None,
        eos: int | None,
        add_bos: bool,
        ends: Sequence[int],
        specials: Sequence[SpecialToken],
        adds_space: bool,
        cuts_characters: bool,
    ) -> None:
        self.size = size
        self.bos = bos
        self.eos = eos
        self.add_bos = add_bos
        self.eog = tuple(dict.fromkeys(ends))
        self._eog = frozenset(self.eog)
        self._specials = {special.text: special for special in specials}
        self._special_ids = frozenset(special.id for special in specials)
        self._adds_space = adds_space
        self._cuts_characters = cuts_characters
        # Longest first, as llama.cpp looks for them.
        texts = sorted(self._specials, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, texts))) if texts else None

    @abstractmethod
    def piece(self, token: int) -> bytes:
        """The bytes of a token; special ones are written out.

        Raises:
            EngineError: There is no such token.
        """

    @abstractmethod
    def _plain(self, text: bytes) -> list[int]:
        """Ids of a fragment, special tokens read as plain text."""

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts that become one control token when specials are parsed."""
        return tuple(text.decode("utf-8", "replace") for text in self._specials)

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return token in self._eog

    def text(self, token: int | None) -> str:
        """A token written out; empty where there is none."""
        return "" if token is None else self.piece(token).decode("utf-8", "replace")

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes of the ids joined."""
        return b"".join(self.piece(token) for token in ids)

    def encode(self, pieces: Sequence[Piece], *, add_bos: bool = True) -> Encoded:
        """Ids of the joined text, with exactly one BOS where the model wants one."""
        joined = joined_bytes(pieces)
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
        at = offset - (not follows and self._added_space(text, ids))
        starts: list[int] = []
        for token in ids:
            starts.append(min(max(at, offset), offset + len(text)))
            at += len(self.piece(token))
        for index, token in enumerate(ids):
            if token in self._special_ids and self._can_be_cut(token):
                # Merging or a whole-word look-up made a control token out of plain text: cut it in two.
                cut = starts[index] - offset + 1
                while not self._cuts_characters and cut < len(text) and text[cut] & 0xC0 == 0x80:
                    cut += 1
                self._encode_text(text[:cut], offset, encoded, follows=follows)
                self._encode_text(text[cut:], offset + cut, encoded, follows=True)
                return
        encoded.ids.extend(ids)
        encoded.starts.extend(starts)

    def _can_be_cut(self, token: int) -> bool:
        piece = self.piece(token)
        return len(piece if self._cuts_characters else piece.decode("utf-8", "replace")) > 1

    def _added_space(self, text: bytes, ids: Sequence[int]) -> bool:
        """Whether the ids begin with a space that is not in the text."""
        return self._adds_space and sum(len(self.piece(token)) for token in ids) == len(text) + 1

    def _following(self, text: bytes) -> list[int]:
        """Tokens of a text that others stand before: behind a line end, which is then taken off."""
        if not self._adds_space:
            return self._plain(text)
        ids = self._plain(b"\n" + text)
        left = 1 + len(text) + self._added_space(b"\n" + text, ids)
        while ids and left > len(text):
            left -= len(self.piece(ids[0]))
            ids = ids[1:]
        return ids
