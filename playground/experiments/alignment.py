"""Two ways of cutting one text into tokens, laid side by side.

Between borders that both have, the tokens of each way stand for the same bytes, so that sums of their
log-probabilities may be compared. That is sound only where both ways are of the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, takewhile

from playground.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes between two neighbouring common borders: ``one[a:b]`` and ``other[c:d]`` are the same bytes."""

    one: range
    other: range


def stretches(one: Sequence[bytes], other: Sequence[bytes]) -> list[Stretch]:
    """The shortest stretches that both ways of cutting agree on.

    One way may lack the first bytes of the other, because a token belongs to the part of a text that holds
    its first byte; the missing ones are in no stretch.

    Raises:
        UnsupportedError: The bytes differ otherwise: a tokenizer that changes the text (case, spaces).
    """
    a, b = b"".join(one), b"".join(other)
    # The first tokens may begin in white space of the context, which differs from context to context.
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a[::-1], b[::-1], strict=False)))
    if same < min(len(a.lstrip()), len(b.lstrip())):
        raise UnsupportedError(
            "The two models' tokens do not stand for the same bytes (a tokenizer changes the text), so that "
            " their positions cannot be laid side by side; choose models that share a tokenizer."
        )
    # Borders are counted from the end, where both texts meet.
    ours = {end - len(a): i for i, end in enumerate((0, *accumulate(map(len, one))))}
    theirs = {end - len(b): i for i, end in enumerate((0, *accumulate(map(len, other))))}
    common = sorted(border for border in ours.keys() & theirs.keys() if -border <= same)
    return [
        Stretch(range(ours[start], ours[end]), range(theirs[start], theirs[end]))
        for start, end in pairwise(common)
    ]
