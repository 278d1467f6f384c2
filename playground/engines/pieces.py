"""Where special tokens may stand in the joined text of a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from playground.types import Piece


def special_ranges(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Byte ranges of the joined text in which special tokens are parsed; neighbours are one range."""
    ranges: list[tuple[int, int]] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text.encode())
        if piece.parse_special and end > at:
            if ranges and ranges[-1][1] == at:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((at, end))
        at = end
    return ranges
