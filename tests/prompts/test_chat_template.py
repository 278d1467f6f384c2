"""Chat templates: rendered as they are, split by origin, and a person's text never becomes a token."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Template

from playground.errors import TemplateError
from playground.prompts import template_child
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.template_environment import Compiler
from playground.prompts.template_process import TemplateProcess, template_process
from playground.types import Example, Message, StopRule

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TRIMMED = CHATML.replace("m.content", "m.content | trim")


def test_chatml_with_a_presets_examples() -> None:
    renderer = ChatTemplateRenderer(
        CHATML, system="S", examples=(Example("eq", "ea"), Example("x", "y", False))
    )
    prompt = renderer.render([Message("user", "hi")])
    assert prompt.text == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\neq<|im_end|>\n<|im_start|>assistant\nea<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt.stop == (StopRule("<|im_end|>"),)
    said = [(p.text, p.origin.part, p.origin.field) for p in prompt.pieces if not p.parse_special]
    assert said == [
        ("S", "system", "system"),
        ("eq", "example", "query"),
        ("ea", "example", "answer"),
        ("hi", "turn", "query"),
    ]


@pytest.mark.parametrize("source", [CHATML, TRIMMED])
@given(words=st.lists(st.text(alphabet="ab <|>\n", min_size=1, max_size=12), min_size=1, max_size=5))
def test_what_a_person_wrote_is_never_in_a_template_piece(source: str, words: list[str]) -> None:
    words = [f"{w} <|im_end|> {w}" for w in words]
    messages = [Message("user" if i % 2 == 0 else "assistant", w) for i, w in enumerate(words)]
    prompt = ChatTemplateRenderer(source).render(messages)
    n_ends = len(messages)
    assert sum(p.text.count("<|im_end|>") for p in prompt.pieces if p.parse_special) == n_ends
    assert sum(p.text.count("<|im_end|>") for p in prompt.pieces if not p.parse_special) == len(words)


def test_a_template_that_rewrites_messages_keeps_its_own_control_tokens_and_no_others() -> None:
    upper = CHATML.replace("m.content", "m.content | upper")
    prompt = ChatTemplateRenderer(upper).render([Message("user", "hi <|im_end|>")])
    parsed = "".join(piece.text for piece in prompt.pieces if piece.parse_special)
    assert parsed == "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"
    assert [piece.text for piece in prompt.pieces if not piece.parse_special] == ["HI <|IM_END|>"]


def test_history_and_the_open_turn_are_told_apart() -> None:
    messages = [Message("user", "q0"), Message("assistant", "a0"), Message("user", "q1")]
    pieces = ChatTemplateRenderer(CHATML).render(messages).pieces
    said = [(p.origin.part, p.origin.field, p.origin.index) for p in pieces if not p.parse_special]
    assert said == [("history", "query", 0), ("history", "answer", 0), ("turn", "query", 1)]


def test_a_template_that_refuses_everything_is_told_with_its_own_words() -> None:
    source = "{{ raise_exception('only on Sundays') }}"
    with pytest.raises(TemplateError, match="refuses this conversation: only on Sundays"):
        ChatTemplateRenderer(source, system="S").render([Message("user", "hi")])


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ undefined_function() }}",
        "{% for %}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_hostile_or_broken_template_is_one_sentence(source: str) -> None:
    with pytest.raises(TemplateError, match="chat template"):
        ChatTemplateRenderer(source).render([Message("user", "hi")])


def test_no_origin_is_claimed_where_the_traced_render_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler()
    compiled = compiler.compiled

    def failing(source: str, *, traced: bool) -> Template:
        return compiled("{{ nothing.at.all }}" if traced else source, traced=traced)

    monkeypatch.setattr(compiler, "compiled", failing)
    request = {"source": "<s>{{ x }}", "variables": {"x": {"$traced": [["</s>", 1]]}}}
    answer = template_child._answer(json.dumps(request), compiler)
    assert answer == {"text": "<s></s>", "runs": [[7, -1]]}


ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def test_a_template_without_end_is_ended_and_the_next_one_answers() -> None:
    process = TemplateProcess(render_s=0.5)
    try:
        started = time.perf_counter()
        with pytest.raises(TemplateError, match="too long"):
            process.render(ENDLESS, {})
        assert time.perf_counter() - started < 5
        assert process.render("{{ x }}", {"x": "<b>"}) == "<b>"
    finally:
        process.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on processes there")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for i in range(99999) %}{{ 'long ' * 1000 }}{% endfor %}", "too long a text"),
        ("{{ 'x' * 3000000000 }}", "too much memory"),
        ("{{ 'x' | center(3000000000) }}", "too much memory"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too much memory"),
    ],
)
def test_a_template_that_takes_too_much_is_told(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        template_process().render(source, {})


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on processes there")
def test_a_template_without_end_ends_by_itself_where_nobody_waits() -> None:
    child = Path(template_child.__file__)
    request = json.dumps({"source": ENDLESS, "variables": {}}) + "\n"
    done = subprocess.run(
        [sys.executable, "-I", str(child), "1"], input=request.encode(), capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGXCPU
    assert done.stdout == b"ready\n"


def test_a_process_that_somebody_ended_is_begun_anew() -> None:
    process = TemplateProcess()
    try:
        assert process.render("a", {}) == "a"
        assert process._child is not None
        process._child.kill()
        assert process.render("b", {}) == "b"
    finally:
        process.close()
