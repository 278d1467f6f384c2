"""Fitting a conversation into a context: the oldest turns go first, examples never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.chat.assistant import LARGEST_RESERVE, SHORTEST_ANSWER, fit
from playground.errors import ContextLengthError
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import built_in
from playground.types import Example, Message, Prompt

RENDERER = TemplateRenderer(built_in("basechat"), "S", (Example("eq", "ea"),))


def _count(prompt: Prompt) -> int:
    return len(prompt.text)


def _talk(turns: int) -> list[Message]:
    said = [m for i in range(turns) for m in (Message("user", f"q{i}"), Message("assistant", f"a{i}"))]
    return [*said, Message("user", "last")]


def test_what_fits_is_left_alone() -> None:
    prompt, n = fit(RENDERER, _talk(3), count=_count, n_ctx=10_000, max_tokens=100)
    assert prompt.dropped_turns == 0
    assert n == len(prompt.text)
    assert prompt.text == RENDERER.render(_talk(3)).text


@given(turns=st.integers(0, 12), n_ctx=st.integers(140, 900), max_tokens=st.integers(1, 400))
def test_the_fewest_oldest_turns_go_and_examples_stay(turns: int, n_ctx: int, max_tokens: int) -> None:
    talk = _talk(turns)
    prompt, n = fit(RENDERER, talk, count=_count, n_ctx=n_ctx, max_tokens=max_tokens)
    assert "eq" in prompt.text
    assert "last" in prompt.text
    dropped = prompt.dropped_turns
    assert prompt.text == RENDERER.render(talk[2 * dropped :]).text
    assert n + min(SHORTEST_ANSWER, max_tokens) <= n_ctx
    alone = len(RENDERER.render(talk[-1:]).text)
    wanted = min(max_tokens, max(SHORTEST_ANSWER, int(n_ctx * LARGEST_RESERVE)))
    reserve = min(wanted, n_ctx - alone)
    assert n + reserve <= n_ctx
    if dropped:
        assert len(RENDERER.render(talk[2 * (dropped - 1) :]).text) + reserve > n_ctx


def test_a_context_too_small_for_the_examples_is_told() -> None:
    with pytest.raises(ContextLengthError, match="switch some examples off"):
        fit(RENDERER, _talk(3), count=_count, n_ctx=80, max_tokens=50)


def test_a_very_long_allowance_does_not_cost_the_conversation() -> None:
    whole = len(RENDERER.render(_talk(3)).text)
    prompt, _ = fit(RENDERER, _talk(3), count=_count, n_ctx=2 * whole, max_tokens=2 * whole)
    assert prompt.dropped_turns == 0
