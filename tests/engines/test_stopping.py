"""Stop rules over streamed text: any chunking gives the same answer, and nothing of a stop gets out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engines.stopping import StopMatcher
from playground.engines.streaming import TextStream
from playground.types import StopPlace, StopRule, Token

FENCE = StopRule("```", "whole_line")
HEADER = StopRule("# Query:", "line_start")
URIAL = (FENCE, HEADER)


def run(rules: tuple[StopRule, ...], chunks: list[str], *, eos: bool = True) -> tuple[str, StopRule | None]:
    """What is shown in all, and what ended it."""
    matcher = StopMatcher(rules)
    shown = "".join(matcher.feed(chunk) for chunk in chunks)
    shown += matcher.finish(eos=eos)
    return shown, matcher.stopped


def chunked(text: str, cuts: list[int]) -> list[str]:
    """``text`` cut at ``cuts``."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


# Characters of which stops, fences and white space are made, so that near misses are common.
TEXTS = st.text(alphabet="`~# Query:\n ab\t", max_size=60)
PLACES: st.SearchStrategy[StopPlace] = st.sampled_from(["anywhere", "line_start", "whole_line"])
RULES = st.lists(
    st.builds(StopRule, st.sampled_from(["```", "# Query:", '"""', "~~~", "ab", "a\n", "b a", "``"]), PLACES),
    min_size=1,
    max_size=3,
).map(tuple)


@given(rules=RULES, text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=12), eos=st.booleans())
def test_any_chunking_gives_the_same_answer(
    rules: tuple[StopRule, ...], text: str, cuts: list[int], eos: bool
) -> None:
    whole = run(rules, [text], eos=eos)
    assert run(rules, chunked(text, cuts), eos=eos) == whole
    assert run(rules, list(text), eos=eos) == whole


@given(rules=RULES, text=TEXTS)
def test_what_is_shown_is_a_beginning_of_the_text_and_never_taken_back(
    rules: tuple[StopRule, ...], text: str
) -> None:
    final, stopped = run(rules, [text])
    matcher = StopMatcher(rules)
    shown = ""
    for character in text:
        shown += matcher.feed(character)
        assert final.startswith(shown)
    assert text.startswith(final)
    if stopped is not None and stopped.place == "anywhere":
        assert stopped.text not in final
    assert final == final.rstrip()


@given(text=st.text())
def test_without_rules_nothing_is_held_back(text: str) -> None:
    matcher = StopMatcher(())
    assert [matcher.feed(character) for character in text] == list(text)
    assert matcher.finish(eos=True) == ""


@pytest.mark.parametrize(
    ("text", "shown", "stop"),
    [
        ("Hi there.\n```\n\n# Query:", "Hi there.", "```"),
        ("Hi there.\n```", "Hi there.", "```"),
        ("Hi there.\n```  \t\nmore", "Hi there.", "```"),
        ("```\nmore", "", "```"),
        ("Say ``` here", "Say ``` here", None),
        ("Say:\n```python\nx\n```\nDone.\n```\nmore", "Say:\n```python\nx\n```\nDone.", "```"),
        ("Say:\n````\n```\n````\nDone.\n```\nmore", "Say:\n````\n```\n````\nDone.", "```"),
        ("Say:\n~~~\n```\n~~~\nDone.\n```\n", "Say:\n~~~\n```\n~~~\nDone.", "```"),
        ("Say:\n  ```sh\nls\n  ```\nDone\n```\n", "Say:\n  ```sh\nls\n  ```\nDone", "```"),
        ("Say:\n```python\n# Query: x", "Say:\n```python", "# Query:"),
        ("About # Query: it", "About # Query: it", None),
        ("About\n\n# Query: it", "About", "# Query:"),
        ("# Query: it", "", "# Query:"),
        ("Ends in half a stop\n# Que", "Ends in half a stop\n# Que", None),
        ("Blanks \n\n ", "Blanks", None),
    ],
)
def test_a_urial_answer(text: str, shown: str, stop: str | None) -> None:
    assert run(URIAL, list(text)) == (shown, next((rule for rule in URIAL if rule.text == stop), None))


def test_other_markers_stand_outside_fences_too() -> None:
    rules = (StopRule('"""', "whole_line"),)
    text = 'Docs:\n```python\ndef f():\n"""\n```\nthat is it\n"""\nmore'
    assert run(rules, list(text))[0] == 'Docs:\n```python\ndef f():\n"""\n```\nthat is it'


@pytest.mark.parametrize("text", ["cut off \n", "cut off\n# Que", "cut off\n``", "cut off "])
def test_what_was_cut_off_is_shown_whole(text: str) -> None:
    assert run(URIAL, list(text), eos=False) == (text, None)


def test_a_closing_line_counts_even_where_the_text_was_cut_off() -> None:
    assert run(URIAL, list("All said.\n```"), eos=False) == ("All said.", FENCE)


def test_an_empty_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        StopMatcher((StopRule(""),))


def tokens_of(data: bytes, cuts: list[int]) -> list[Token]:
    """Tokens that hold ``data``, cut anywhere, also within characters."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return [Token(number, piece) for number, piece in enumerate(pieces)]


@given(text=st.text(alphabet="aé日😀 \n#", max_size=30), cuts=st.lists(st.integers(0, 120), max_size=20))
def test_tokens_come_with_the_text_that_holds_their_first_byte(text: str, cuts: list[int]) -> None:
    tokens = tokens_of(text.encode(), cuts)
    stream = TextStream((StopRule("#"),))
    shown, given_tokens = "", []
    for token in tokens:
        released = stream.add((token,))
        shown += released.text
        given_tokens += released.tokens
        assert "\ufffd" not in released.text
    released = stream.finish(eos=True)
    shown += released.text
    given_tokens += released.tokens
    expected, at = [], 0
    for token in tokens:
        if at < len(shown.encode()):
            expected.append(token)
        at += len(token.bytes)
    assert given_tokens == expected
    assert shown == (text[: text.index("#")] if "#" in text else text).rstrip()


def test_half_a_character_at_the_end_is_dropped() -> None:
    stream = TextStream(())
    assert stream.add((Token(1, b"a"), Token(2, "é".encode()[:1]))).text == "a"
    released = stream.finish(eos=False)
    assert (released.text, released.tokens) == ("", ())


def test_bytes_that_are_no_text_are_marked() -> None:
    stream = TextStream(())
    assert stream.add((Token(1, b"a\xff"), Token(2, b"b"))).text == "a\ufffdb"
