"""Where special tokens may stand in the joined text of a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from playground.errors import InvalidTextError
from playground.types import Piece


def half_character(error: UnicodeEncodeError) -> str:
    """What is wrong with a text that has no UTF-8: half of a surrogate pair, or bytes that were no UTF-8."""
    found = ord(error.object[error.start])
    what = (
        f"the byte 0x{found - 0xDC00:02X}, which is not UTF-8"
        if 0xDC80 <= found <= 0xDCFF
        else f"U+{found:04X}, half of a surrogate pair"
    )
    return f"The text holds {what} (character {error.start + 1}); no tokenizer takes it. Remove it."


def joined_bytes(pieces: Sequence[Piece]) -> bytes:
    """The UTF-8 of the pieces joined.

    Raises:
        InvalidTextError: They hold half of a surrogate pair.
    """
    try:
        return "".join(piece.text for piece in pieces).encode()
    except UnicodeEncodeError as error:
        raise InvalidTextError(half_character(error)) from None


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
