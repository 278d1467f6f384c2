"""Messages that a template trims, splits or drops, roles that it does not take, and what is said about it."""

from __future__ import annotations

import pytest

from playground.engines.fake import FakeEngine
from playground.errors import TemplateError
from playground.prompts.adapting import FOLDED, STARTED
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.prompts.template_process import template_process
from playground.studio.chat_template_check import Tokenizer
from playground.types import Example, Message, Origin, Piece, TemplateOption

DROPS_THINKING = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{{ '<|im_start|>assistant\\n' + m.content.split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}"
    "{%- else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PARTS = (
    "{% for m in messages %}{{ m.role }}: {% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}"
    "{% endif %}{% endfor %}\n{% endfor %}assistant:"
)
GENERATION = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% else %}[U]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}"
)
THOUGHT = "<think>\nShort.\n</think>\n\nHello."


def _talk(*contents: str) -> list[Message]:
    return [Message("assistant" if i % 2 else "user", content) for i, content in enumerate(contents)]


def test_a_dropped_thought_leaves_the_templates_control_tokens_what_they_are(smollm2: Tokenizer) -> None:
    prompt = ChatTemplateRenderer(DROPS_THINKING).render(_talk("hi", THOUGHT, "and you?"))
    assert smollm2.count(prompt.pieces) == 7
    assert "Short" not in prompt.text
    assert prompt.notes == ()


def test_a_dropped_thought_costs_what_transformers_counts(smollm2: Tokenizer) -> None:
    prompt = ChatTemplateRenderer(DROPS_THINKING).render(_talk("hi", THOUGHT, "and you?"))
    assert prompt.text == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
        "<|im_start|>user\nand you?<|im_end|>\n<|im_start|>assistant\n"
    )
    # No message holds a control token, so the text as a whole costs the same with all of them parsed.
    whole = Piece(prompt.text, Origin("turn", "template"), parse_special=True)
    assert smollm2.encode(prompt.pieces) == smollm2.encode([whole])
    assert len(smollm2.encode(prompt.pieces)) == 26


def test_blanks_at_the_edges_make_no_control_token_of_a_persons_text(wren: Tokenizer) -> None:
    prompt = ChatTemplateRenderer(DROPS_THINKING).render(_talk("\nhi\n", "\nHello.\n", "<|im_end|>"))
    assert wren.count(prompt.pieces) == 7
    last = next(piece for piece in prompt.pieces if piece.origin == Origin("turn", "query", 1))
    assert last.text == "<|im_end|>"
    assert not last.parse_special


def test_a_template_that_loops_over_parts_has_the_question() -> None:
    prompt = ChatTemplateRenderer(PARTS, system="S").render(_talk("hi"))
    assert prompt.text == "system: Suser: hiassistant:"
    assert prompt.notes == ()
    # What is written at the end of every conversation is no end of an answer.
    assert prompt.stop == ()


def test_generation_tags_write_nothing() -> None:
    prompt = ChatTemplateRenderer(GENERATION, system="S").render(_talk("hi", "yo", "x"))
    assert prompt.text == "[U]S[U]hiyo[U]x[A]"


def test_a_system_text_is_folded_into_the_first_user_message_and_that_is_said() -> None:
    renderer = ChatTemplateRenderer(NO_SYSTEM + ALTERNATING, system="Be brief.")
    prompt = renderer.render(_talk("hi", "yo", "so?"))
    assert prompt.text == "<user>Be brief.\n\nhi<assistant>yo<user>so?"
    assert prompt.notes == (FOLDED,)
    said = [(p.text, p.origin.field) for p in prompt.pieces if not p.parse_special][:3]
    assert said == [("Be brief.", "system"), ("\n\n", "template"), ("hi", "query")]


def test_a_system_text_that_a_template_passes_over_in_silence_is_folded_too() -> None:
    turn = "{% if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endif %}"
    source = "{% for m in messages %}" + turn + "{% endfor %}"
    prompt = ChatTemplateRenderer(source, system="S").render(_talk("hi"))
    assert prompt.text == "<user>S\n\nhi"
    assert prompt.notes == (FOLDED,)


def test_messages_of_one_role_are_joined_where_roles_must_alternate() -> None:
    messages = [
        Message("user", "one"),
        Message("user", "two"),
        Message("assistant", "a"),
        Message("user", "b"),
    ]
    prompt = ChatTemplateRenderer(ALTERNATING).render(messages)
    assert prompt.text == "<user>one\n\ntwo<assistant>a<user>b"
    assert prompt.notes == (
        "The chat template wants user and assistant to alternate: 1 message is joined to the one before, "
        "which has the same role.",
    )


def test_messages_are_left_alone_where_roles_need_not_alternate() -> None:
    source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    prompt = ChatTemplateRenderer(source).render([Message("user", "one"), Message("user", "two")])
    assert prompt.text == "<user>one<user>two"
    assert prompt.notes == ()


def test_an_answer_that_opens_a_conversation_gets_an_empty_question() -> None:
    prompt = ChatTemplateRenderer(ALTERNATING).render([Message("assistant", "a"), Message("user", "b")])
    assert prompt.text == "<user><assistant>a<user>b"
    assert prompt.notes == (STARTED,)


def test_a_message_that_is_left_out_is_named() -> None:
    source = "{% for m in messages %}{% if loop.last %}{{ m.content }}{% endif %}{% endfor %}"
    prompt = ChatTemplateRenderer(source, examples=(Example("eq", "ea"),)).render(
        _talk("first", "yes", "last")
    )
    assert prompt.text == "last"
    assert [note.partition("(")[0] for note in prompt.notes] == [
        "The chat template leaves out the query of example 1 ",
        "The chat template leaves out the answer of example 1 ",
        "The chat template leaves out user message 1 ",
        "The chat template leaves out assistant message 1 ",
    ]


def test_a_message_that_is_cut_short_is_named() -> None:
    source = "{% for m in messages %}{{ m.content[:4] }}{% endfor %}"
    prompt = ChatTemplateRenderer(source).render(_talk("a long question"))
    assert prompt.text == "a lo"
    assert prompt.notes == (
        'The chat template leaves out part of user message 1 ("a long question"); the model does not see it.',
    )


def test_an_answer_that_is_cut_while_its_thinking_stays_is_named() -> None:
    source = "{% for m in messages %}{{ m.content.split('</think>')[0] }}{% endfor %}"
    prompt = ChatTemplateRenderer(source).render(_talk("q", "<think>a long thought</think>short", "r"))
    assert prompt.text == "q<think>a long thoughtr"
    assert prompt.notes == (
        'The chat template leaves out part of assistant message 1 ("<think>a long thought</think>short"); '
        "the model does not see it.",
    )


def test_a_template_without_its_list_of_tools_is_given_an_empty_one() -> None:
    source = "{% for tool in tools %}{{ tool }}{% endfor %}{{ messages[0].content }}"
    assert ChatTemplateRenderer(source).render(_talk("hi")).text == "hi"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% if %}{{ messages }}", r"cannot be parsed \(line 1: "),
        ("{% for m in messages %}{% nonsense %}{% endfor %}", r"cannot be parsed \(line 1: .*nonsense"),
        ("{{ raise_exception('too long for me') }}", "refuses this conversation: too long for me"),
        ("{{ messages[0].content + functions }}", "'functions' is undefined. Give what it lacks"),
        ("{{ messages[0].content + 1 }}", "fails on this conversation: TypeError"),
        ("{{ 'x' * 3000000000 }}", "was stopped: it "),
    ],
)
def test_an_error_names_the_real_cause(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said) as caught:
        ChatTemplateRenderer(source).render(_talk("hi"))
    assert "alternate" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_are_found_in_the_source() -> None:
    source = (
        "{% if enable_thinking is defined and enable_thinking is false %}x{% endif %}"
        "{% if effort is not defined %}{% set effort = 'mid' %}{% endif %}{{ effort }}"
        "{% if mode in ['slow', 'fast'] %}y{% endif %}{{ budget | default(512) }}"
        "{% for tool in my_tools %}{{ tool }}{% endfor %}{% set own = 1 %}{{ own }}{{ pad_token }}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert template_process().inspect(source) == (
        TemplateOption("enable_thinking", "flag"),
        TemplateOption("effort", "text", ("mid",), "mid"),
        TemplateOption("mode", "text", ("slow", "fast")),
        TemplateOption("budget", "number", (), 512),
    )


def test_options_reach_the_template() -> None:
    source = "{{ messages[0].content }}{% if not enable_thinking %}<think></think>{% endif %}"
    assert ChatTemplateRenderer(source, options=(("enable_thinking", True),)).render(_talk("q")).text == "q"
    assert ChatTemplateRenderer(source).render(_talk("q")).text == "q<think></think>"


@pytest.mark.parametrize("written", [True, False])
def test_there_is_exactly_one_start_token_whether_the_template_writes_it_or_not(written: bool) -> None:
    engine = FakeEngine()
    source = ("{{ bos_token }}" if written else "") + "{% for m in messages %}{{ m.content }}{% endfor %}"
    prompt = ChatTemplateRenderer(source, engine.info.bos_text).render(_talk("<|bos|>hi"))
    ids = engine.tokenize(prompt.pieces)
    assert ids[0] == engine.info.bos_id
    assert ids.count(engine.info.bos_id) == 1
