"""Two ways of cutting a text, laid side by side."""

from __future__ import annotations

import pytest

from playground.errors import UnsupportedError
from playground.experiments.alignment import Stretch, stretches


def test_tokens_meet_at_common_borders() -> None:
    assert stretches([b"He", b"llo", b" you"], [b"Hell", b"o", b" ", b"you"]) == [
        Stretch(range(2), range(2)),
        Stretch(range(2, 3), range(2, 4)),
    ]


def test_the_same_cut_is_token_by_token() -> None:
    cut = [b"a", b"bc", b"\xe9", b"\xb8\x9f"]
    assert stretches(cut, cut) == [Stretch(range(i, i + 1), range(i, i + 1)) for i in range(4)]


def test_first_bytes_that_one_way_lacks_are_in_no_stretch() -> None:
    assert stretches([b"llo", b"!"], [b"He", b"llo!"]) == [Stretch(range(2), range(1, 2))]
    assert stretches([b"lo", b"!"], [b"Hel", b"lo", b"!"]) == [
        Stretch(range(1), range(1, 2)),
        Stretch(range(1, 2), range(2, 3)),
    ]


def test_white_space_of_the_context_in_a_first_token_is_in_no_stretch() -> None:
    assert stretches([b" Paris", b"!"], [b"\nPa", b"ris", b"!"]) == [Stretch(range(1, 2), range(2, 3))]
    assert stretches([b" Paris", b"!"], [b"Paris", b"!"]) == [Stretch(range(1, 2), range(1, 2))]


def test_a_tokenizer_that_changes_the_text_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="same bytes"):
        stretches([b"Hello"], [b"hello"])
