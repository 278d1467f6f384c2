"""Token counts by origin: what each part of a prompt takes of the context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.types import Piece


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens by origin; a token belongs to the part that holds its first byte.

    ``examples`` follows the preset's list, disabled ones counted as 0. ``total`` includes a BOS.
    """

    total: int
    system: int
    examples: tuple[int, ...]
    history: int
    turn: int
    n_ctx: int


def count_by_part(
    pieces: Sequence[Piece], by_piece: Sequence[int], *, total: int, n_examples: int, n_ctx: int
) -> TokenCounts:
    """Tokens of each part of a prompt, from those of each piece."""
    counts = {"prefix": 0, "system": 0, "history": 0, "turn": 0}
    examples = [0] * n_examples
    for piece, count in zip(pieces, by_piece, strict=True):
        if piece.origin.part == "example":
            examples[piece.origin.index] += count
        else:
            counts[piece.origin.part] += count
    return TokenCounts(
        total=total,
        system=counts["system"] + counts["prefix"],
        examples=tuple(examples),
        history=counts["history"],
        turn=counts["turn"],
        n_ctx=n_ctx,
    )
