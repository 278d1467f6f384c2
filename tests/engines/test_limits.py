"""What is refused without being tokenized: texts that cannot fit under any tokenizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from playground.chat.assistant import bare_renderer, fit
from playground.engines.base import Engine, Finished, GenerateRequest
from playground.engines.batching.vocabulary import Encoded, FragmentVocabulary
from playground.engines.limits import MOST_TOKEN_BYTES, far_over, least_tokens
from playground.errors import ContextLengthError
from playground.types import Message, Origin, Piece, Prompt

HUGE = "the quick brown fox " * 200_000  # 4 MB


def test_a_lower_bound_counts_no_white_space_and_little_text_not_at_all() -> None:
    assert least_tokens("short") == 0
    assert least_tokens(" \n\t" * 1_000_000) == 0
    assert least_tokens("x" * 3_200) == 3_200 // MOST_TOKEN_BYTES
    assert least_tokens("中" * 1_000) == 3_000 // MOST_TOKEN_BYTES
    assert least_tokens("\ud800" * 100) > 0, "half a character is no reason to fail"
    assert far_over([HUGE], 65_536)
    assert not far_over(["word " * 4_000], 4_096)


@pytest.fixture
def never_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    really = FragmentVocabulary.encode

    def encode(self: FragmentVocabulary, pieces: Sequence[Piece], *, add_bos: bool = True) -> Encoded:
        assert sum(len(piece.text) for piece in pieces) < 1_000_000, "it was tokenized"
        return really(self, pieces, add_bos=add_bos)

    monkeypatch.setattr(FragmentVocabulary, "encode", encode)


def test_an_engine_tokenizes_no_text_that_is_far_too_long(
    opened: Callable[..., Engine], never_tokenized: None
) -> None:
    llamacpp = opened()
    piece = Piece(HUGE, Origin("turn", "query"))
    began = time.perf_counter()
    (event,) = llamacpp.generate([GenerateRequest((piece,))])
    assert isinstance(event, Finished)
    assert event.finish_reason == "error"
    assert "far more than fit into the context of" in (event.error or "")
    with pytest.raises(ContextLengthError, match="The text to score has 4,000,"):
        llamacpp.score([piece], [Piece("x", Origin("turn", "answer"))])
    llamacpp.warm([piece])
    assert time.perf_counter() - began < 1.0
    assert llamacpp.tokenize([Piece("still here", Origin("turn", "query"))])


def test_a_message_far_over_the_context_is_refused_before_it_is_counted() -> None:
    counted: list[Prompt] = []

    def count(prompt: Prompt) -> int:
        counted.append(prompt)
        return len(prompt.text)

    with pytest.raises(ContextLengthError, match=r"The message has 4,000,000 characters"):
        fit(bare_renderer(), [Message("user", HUGE)], count=count, n_ctx=4_096, max_tokens=16)
    assert counted == []
    # An earlier message of that size is left out, also without being counted.
    talk = [Message("user", HUGE), Message("assistant", "ok"), Message("user", "short")]
    prompt, n = fit(bare_renderer(), talk, count=count, n_ctx=4_096, max_tokens=16)
    assert (prompt.dropped_turns, n) == (1, len(prompt.text))
    assert all(len(one.text) < 1_000 for one in counted)
