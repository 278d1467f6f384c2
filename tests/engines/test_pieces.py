"""Which tokens of a joined text belong to its second part."""

from __future__ import annotations

import pytest

from playground.engines.pieces import first_target_token


def first(tokens: list[str], border: int, *, bos: bool = False) -> int:
    starts, at = ([-1] if bos else []), 0
    for token in tokens:
        starts.append(at)
        at += len(token.encode())
    return first_target_token(starts, "".join(tokens).encode(), border)


@pytest.mark.parametrize(
    ("tokens", "border", "expected"),
    [
        (["Hello", " you"], 5, 1),
        (["is", " Paris"], 3, 1),  # "is " + "Paris": the only token of the target
        (["is", " Pa", "ris"], 3, 1),  # its first token begins in the space of the context
        (["A:", "\n\n", "Paris"], 3, 1),
        (["is", "\u3000巴黎"], 5, 1),  # an ideographic space, three bytes
        (["Hell", "o ot", "her"], 6, 2),  # the first byte decides inside a word
        (["Hello", " other"], 7, 1),  # unless nothing would be left
        (["Hello", " you"], 9, 2),  # there is no target
        (["x"], 0, 0),
    ],
)
def test_the_first_token_of_the_target(tokens: list[str], border: int, expected: int) -> None:
    assert first(tokens, border) == expected
    assert first(tokens, border, bos=True) == (expected + 1)


def test_an_empty_text_has_no_token() -> None:
    assert first_target_token([], b"", 0) == 0
    assert first_target_token([-1], b"", 0) == 1
