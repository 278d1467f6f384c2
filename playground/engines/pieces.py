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


def first_target_token(starts: Sequence[int], text: bytes, border: int) -> int:
    """Index of the first token that belongs to a target; ``len(starts)`` where none does.

    A token belongs to the part that holds its first byte, with two exceptions, so that a target is never
    dropped without a word: a token that begins in the white space at the end of the context and reaches into
    the target belongs to the target (evaluation harnesses move that white space likewise: EleutherAI's
    lm-evaluation-harness, ``lm_eval/api/model.py``, ``_encode_pair``), and so does one that holds all of it.

    Args:
        starts: The byte of ``text`` at which each token starts, in order; -1 for one that is not in the text.
        text: Context and target joined.
        border: Bytes of the context.
    """
    first = next((i for i, start in enumerate(starts) if start >= border), len(starts))
    if first == 0 or starts[first - 1] < 0:
        return first
    start, end = starts[first - 1], starts[first] if first < len(starts) else len(text)
    reaches_in = start < border < end
    blank = text[start:border].decode("utf-8", "replace").isspace()
    return first - 1 if reaches_in and (blank or first == len(starts)) else first
