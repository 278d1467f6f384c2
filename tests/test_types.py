"""Values that compute something."""

from __future__ import annotations

import pytest

from playground.types import Usage


@pytest.mark.parametrize(
    ("tokens", "decode_s", "rate"),
    [(11, 2.0, 5.0), (2, 0.5, 2.0), (1, 0.5, 0.0), (0, 0.0, 0.0), (5, 0.0, 0.0)],
)
def test_speed_is_that_of_the_tokens_after_the_first(tokens: int, decode_s: float, rate: float) -> None:
    usage = Usage(prompt_tokens=100, completion_tokens=tokens, prefill_s=3.0, decode_s=decode_s)
    assert usage.tokens_per_s == rate
