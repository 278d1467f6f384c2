"""The tokens of a prompt as a person looks at them: id, bytes, and the part that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.engines.base import Engine
from playground.types import Piece


@dataclass(frozen=True, slots=True)
class TokenView:
    """Tokens in order.

    Attributes:
        ids: Token ids ``[n_tokens]``.
        sizes: Bytes of each ``[n_tokens]``; a token may be half a character.
        data: All their bytes, as the tokenizer writes them.
        pieces: Index of the piece that holds a token's first byte ``[n_tokens]``; -1 for what the engine put
            in front of the text (a BOS).
        special: Places in ``ids`` of the special tokens.
    """

    ids: tuple[int, ...]
    sizes: tuple[int, ...]
    data: bytes
    pieces: tuple[int, ...]
    special: tuple[int, ...]


def view_tokens(engine: Engine, pieces: Sequence[Piece], ids: Sequence[int]) -> TokenView:
    """The tokens ``ids`` that ``engine.tokenize`` gave for ``pieces``."""
    sizes, data = engine.token_sizes(ids), engine.detokenize(ids)
    ends: list[int] = []
    length = 0
    for piece in pieces:
        length += len(piece.text.encode())
        ends.append(length)
    specials = {text.encode() for text in engine.info.special_tokens}
    owners: list[int] = []
    special: list[int] = []
    start = length - sum(sizes)  # below 0 where the engine put something in front
    at = current = 0
    for i, size in enumerate(sizes):
        while current < len(ends) - 1 and start >= ends[current]:
            current += 1
        owners.append(current if start >= 0 and ends else -1)
        if data[at : at + size] in specials:
            special.append(i)
        start += size
        at += size
    return TokenView(tuple(ids), tuple(sizes), data, tuple(owners), tuple(special))
