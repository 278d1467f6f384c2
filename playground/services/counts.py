"""Token counts by origin: what each part of a prompt takes of the context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.engines.base import Engine
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
    engine: Engine, pieces: Sequence[Piece], ids: Sequence[int], *, n_examples: int, n_ctx: int
) -> TokenCounts:
    """Tokens of each part of a prompt; a token belongs to the part that holds its first byte."""
    counts = {"prefix": 0, "system": 0, "history": 0, "turn": 0}
    examples = [0] * n_examples
    ends: list[tuple[int, Piece]] = []
    at = 0
    for piece in pieces:
        at += len(piece.text.encode())
        ends.append((at, piece))
    sizes = engine.token_sizes(ids)
    # A BOS that the engine put in front stands for no text of ours.
    start = 0 if sum(sizes) == at else -(sum(sizes) - at)
    current = 0
    for size in sizes:
        while current < len(ends) - 1 and start >= ends[current][0]:
            current += 1
        if ends and start >= 0:
            origin = ends[current][1].origin
            if origin.part == "example":
                examples[origin.index] += 1
            else:
                counts[origin.part] += 1
        start += size
    return TokenCounts(
        total=len(ids),
        system=counts["system"] + counts["prefix"],
        examples=tuple(examples),
        history=counts["history"],
        turn=counts["turn"],
        n_ctx=n_ctx,
    )
