"""Rendered text back to its parts, and pasted transcripts into examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.prompts.parse import Parsed, parse_exact, split_turns
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN
from playground.types import Example

F = "```"
WORDS = st.text(alphabet="abc :#\n`\"'", max_size=12)
NAMES = sorted(set(BUILT_IN) - {"raw"})


@pytest.mark.parametrize("name", NAMES)
def test_what_was_rendered_parses_back(name: str) -> None:
    examples = (Example("q one", "a\n\none"), Example("q2", f"{F}python\nx\n{F}"))
    text = TemplateRenderer(BUILT_IN[name], "Sys\n\ntext", examples).render([]).text
    assert parse_exact(text, BUILT_IN[name]) == Parsed("Sys\n\ntext", examples)


@given(st.sampled_from(NAMES), WORDS, st.lists(st.tuples(WORDS, WORDS), max_size=3))
def test_a_parse_always_renders_back_to_the_same_bytes(
    name: str, system: str, pairs: list[tuple[str, str]]
) -> None:
    template = BUILT_IN[name]
    text = TemplateRenderer(template, system, tuple(Example(q, a) for q, a in pairs)).render([]).text
    parsed = parse_exact(text, template)
    if parsed is not None:
        assert TemplateRenderer(template, parsed.system, parsed.examples).render([]).text == text


def test_irregular_spacing_is_no_exact_parse() -> None:
    text = TemplateRenderer(BUILT_IN["urial_backticks"], "S", (Example("q", "a"),)).render([]).text
    assert parse_exact(text, BUILT_IN["urial_backticks"]) is not None
    assert parse_exact(text.replace("\n\n# Answer", "\n \n# Answer"), BUILT_IN["urial_backticks"]) is None
    assert parse_exact(text.rstrip("\n"), BUILT_IN["urial_backticks"]) is None


@pytest.mark.parametrize(
    ("text", "system", "pairs"),
    [
        (
            "User: hi\nAssistant: hello\nthere\n\nUser: bye\nAssistant: ciao",
            "",
            [("hi", "hello\nthere"), ("bye", "ciao")],
        ),
        ("# Query:\n```\nq\n```\n\n# Answer:\n```\na\n```\n", "", [("q", "a")]),
        ('Read this.\n\n# Query:\n"""\nq\n"""\n\n# Answer:\n"""\na\n"""', "Read this.", [("q", "a")]),
        ("### Instruction:\nq\n\n### Response:\na", "", [("q", "a")]),
        ("**User:** q\n**Assistant:** a", "", [("q", "a")]),
        ("Q: one\nA: two\nQ: three", "", [("one", "two"), ("three", "")]),
        ("用户:你好\n助手:您好!", "", [("你好", "您好!")]),
        ("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n", "", [("q", "a")]),
        ("no header at all", "", [("no header at all", "")]),
        (
            "A thing that starts with A is no header\nInput was fine",
            "",
            [("A thing that starts with A is no header\nInput was fine", "")],
        ),
        ("Assistant: first", "", [("", "first")]),
        ("User: q\nAssistant: a\nAssistant: b", "", [("q", "a\n\nb")]),
        ("", "", []),
    ],
)
def test_pasted_transcripts(text: str, system: str, pairs: list[tuple[str, str]]) -> None:
    assert split_turns(text) == Parsed(system, tuple(Example(q, a) for q, a in pairs))


def test_a_code_block_in_an_answer_stays_whole() -> None:
    text = f"User: code?\nAssistant: Sure:\n{F}python\nprint(1)\n{F}\nDone."
    assert split_turns(text).examples[0].answer == f"Sure:\n{F}python\nprint(1)\n{F}\nDone."


@given(st.text(max_size=200))
def test_words_of_any_paste_are_kept(text: str) -> None:
    parsed = split_turns(text)
    kept = " ".join([parsed.system, *(f"{e.query} {e.answer}" for e in parsed.examples)])
    for word in text.split():
        if len(word) > 12:  # longer than any header or fence
            assert word in kept
