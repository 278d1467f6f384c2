"""Stops derive from the template; white space alone is never one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.prompts.stops import derive_stops
from playground.prompts.templates import BUILT_IN
from playground.types import StopRule, Template

EXPECTED = {
    "basechat": [('"""', "whole_line"), ("# Query:", "line_start")],
    "urial_backticks": [("```", "whole_line"), ("# Query:", "line_start")],
    "urial_v4": [("User:", "line_start")],
    "urial_v5": [("# User:", "line_start")],
    "urial_v6": [("# User:", "line_start")],
    "plain": [("User:", "line_start")],
    "alpaca": [("### Instruction:", "line_start")],
    "chatml": [("<|im_end|>", "anywhere"), ("<|im_start|>user", "line_start")],
    "raw": [],
}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in(name: str) -> None:
    assert [(r.text, r.place) for r in derive_stops(BUILT_IN[name])] == EXPECTED[name]


def test_a_header_that_shares_its_line_with_the_query() -> None:
    rules = derive_stops(Template("t", "{system}", "Q: {query}\nA: {answer}\n\n"))
    assert rules == (StopRule("Q:", "line_start"),)


# A template's own fields are not among the texts around them: it would hold them twice, which is refused.
AROUND = st.text(max_size=12).filter(lambda text: "{query}" not in text and "{answer}" not in text)


@given(AROUND, AROUND, AROUND)
def test_never_blank(before: str, between: str, after: str) -> None:
    turn = f"{before}{{query}}{between}{{answer}}{after}"
    for rule in derive_stops(Template("t", "{system}", turn)):
        assert rule.text.strip()
        assert "\n" not in rule.text
