"""Every construct of chat templates: exact text, control tokens from the template alone, nothing lost."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_templates import CONSTRUCTS, FAMILIES, TEMPLATES

from playground.engines.transformers.chat_reference import reference_text
from playground.errors import TemplateError
from playground.prompts.chat_template import ChatTemplateRenderer
from playground.studio.chat_template_check import (
    BOS,
    EOS,
    Tokenizer,
    check_source,
    lost_messages,
    without_control_texts,
)
from playground.studio.chat_template_talks import Talk
from playground.types import Message, Origin, Piece

PIECE = Origin("turn", "template")


def _reference(
    source: str, messages: Sequence[Mapping[str, object]], opens: bool, variables: Mapping[str, object]
) -> str:
    return reference_text(source, messages, opens=opens, variables=variables)


def test_there_are_at_least_sixty_templates() -> None:
    assert len(TEMPLATES) == len(FAMILIES) + len(CONSTRUCTS) >= 60


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_rendered_exactly_with_the_bundled_tokenizer(name: str, wren: Tokenizer) -> None:
    result = check_source(name, TEMPLATES[name], [wren], _reference)
    assert result.tried == 20
    assert result.refused == 0
    assert result.faults == ()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_rendered_exactly_with_the_tokenizer_of_smollm2(name: str, smollm2: Tokenizer) -> None:
    assert check_source(name, TEMPLATES[name], [smollm2], _reference).faults == ()


def test_the_check_finds_another_text(wren: Tokenizer) -> None:
    def other(
        source: str, messages: Sequence[Mapping[str, object]], opens: bool, variables: Mapping[str, object]
    ) -> str:
        return _reference(source, messages, opens, variables) + "!"

    faults = check_source("chatml", TEMPLATES["chatml"], [wren], other).faults
    named = {fault.partition(":")[0] for fault in faults}
    assert len(named) == 20
    assert "the text is '' in place of '!'" in faults[0]


def test_the_check_finds_control_tokens_of_a_person(wren: Tokenizer) -> None:
    def careless(pieces: Sequence[Piece]) -> list[int]:
        return wren.encode([Piece(piece.text, PIECE, parse_special=True) for piece in pieces])

    tokenizer = Tokenizer("careless", careless, wren.ids, wren.texts)
    faults = check_source("chatml", TEMPLATES["chatml"], [tokenizer], _reference).faults
    assert any("control tokens in place of" in fault for fault in faults)


# What else a template could do to a message, so that its text comes out by another way.
BY_WAYS = (
    "m",
    "m | tojson",
    "m | string",
    "m | xmlattr",
    "m | dictsort",
    "m | pprint",
    "m.items() | list",
    "m.values() | list | join",
    "messages",
    "messages | map(attribute='content') | list",
    "messages | map(attribute='content') | join('<|im_sep|>')",
    "messages | join(',', attribute='content')",
    "[m.content]",
    "(m.content, 1)",
    "{'a': m.content}",
    "m.content.split('i')",
    "m.content | list",
    "m.content | wordwrap(5)",
    "m.content | truncate(9)",
    "m.content | urlize",
    "m.content | urlencode",
    "m.content | striptags",
    "m.content | format",
    "m.content | batch(2) | list",
    "m.content | safe",
    "m.content | forceescape",
    "m.content.encode()",
    "m.content.encode().decode()",
    "m.content.center(99, '*')",
    "m.content.zfill(50)",
    "m.content.expandtabs()",
    "m.content.swapcase()",
    "m.content.title()",
    "m.content.rsplit(' ', 1) | last",
    "m.content.rpartition('<')[2]",
    "m.content.removeprefix('<').removesuffix('>')",
    "m.content * 2",
    "2 * m.content",
    "'x' | replace('x', m.content)",
    "'x'.replace('x', m.content)",
    "'x'.join([m.content, m.content])",
    "'x'.join(messages | map(attribute='content'))",
    "''.join(m.content | list | reverse)",
    "(messages | map(attribute='content') | list).__str__()",
    "messages | map(attribute='content') | map('trim') | join",
    "messages | map(attribute='content') | select | first",
    "messages | groupby('role') | string",
    "[m.content, m.content] | unique | string",
    "(m.content, m.content) | join(attribute=0)",
    "'%s%s' | format(m.content, 1)",
    "'a' in m.content",
    "m.content | slice(2) | list",
    "{m.content: 1}",
    "{m.content: 1} | tojson",
    "{m.content: 1} | list | first",
    "m.content | replace('', m.content)",
    "m.content.split('<') | join('<')",
    "('<' + m.content[1:]) if m.content.startswith('<') else m.content",
    "'<' ~ m.content[1:]",
    "m.content.join(['a', 'b'])",
    "'%s' % [m.content]",
    "'%(a)s' % {'a': m.content}",
    "'{0}{0:>40}'.format(m.content)",
    "'{m[content]}'.format(m=m)",
    "'{a}'.format_map({'a': m.content})",
    "m.content % ()",
    "m.content.format()",
    "strftime_now(m.content)",
    "namespace(a=m.content)",
    "loop.cycle(m.content, m.content)",
    "joiner(m.content)",
    "dict(a=m.content)",
    "m.content ~ [m.content] ~ 1",
    "'' ~ namespace(a=m.content)",
    "none | default(m.content)",
    "(m.content if m.content else '')[::-1][::-1]",
    "['a', m.content] | sum(start='')",
    "m.content | map('upper') | join",
    "m.content | sort | join",
    "m.content | unique | join",
    "m.content | e | upper",
)


@pytest.mark.parametrize("way", BY_WAYS)
def test_no_by_way_makes_a_control_token_of_a_persons_text(way: str, wren: Tokenizer) -> None:
    marker = wren.texts[0]
    source = "{% for m in messages %}{{ '" + marker + "' }}{{ " + way + " }}{% endfor %}"
    for content in (marker, f"hi {marker} there", f"\n{marker}\n"):
        with contextlib.suppress(TemplateError):  # a template that fails makes no token at all
            prompt = ChatTemplateRenderer(source).render([Message("user", content)])
            assert wren.count(prompt.pieces) <= 1, prompt.pieces
            own = "".join(piece.text for piece in prompt.pieces if piece.parse_special)
            assert own.count(marker) <= 1


def test_the_by_ways_are_rendered_and_not_only_refused() -> None:
    refused = []
    for way in BY_WAYS:
        try:
            ChatTemplateRenderer("{% for m in messages %}{{ " + way + " }}{% endfor %}").render(
                [Message("user", "hi there")]
            )
        except TemplateError:
            refused.append(way)
    assert refused == [
        "(messages | map(attribute='content') | list).__str__()",
        "['a', m.content] | sum(start='')",
    ]


@pytest.mark.parametrize(
    "statements",
    [
        "{% block a %}{{ messages[0].content }}{% endblock %}{{ self.a() }}{{ self.a() | upper }}",
        "{% for m in messages recursive %}{{ m.content }}"
        "{% if loop.depth == 1 %}{{ loop(messages) }}{% endif %}{% endfor %}",
        "{% for x in ['a'] recursive %}{{ messages[0].content }}{% else %}{{ 1 }}{% endfor %}",
        "{% filter replace('a', messages[0].content) %}a b a{% endfilter %}",
        "{% filter upper | indent %}{{ messages[0].content }}\n{{ messages[0].content }}{% endfilter %}",
        "{% macro a(x='') %}{{ x }}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}"
        "{% call a(messages[0].content, 1, messages[0].content, b=messages[0].content) %}"
        "{{ messages[0].content }}{% endcall %}",
        "{% set x %}{{ messages[0].content }}{% endset %}{{ x }}{{ x ~ x }}{{ [x] }}",
        "{% set x | trim %} {{ messages[0].content }} {% endset %}{{ x }}",
        "{% with x = messages[0].content %}{{ x }}{% endwith %}",
        "{% set a, b = messages[0].content, 1 %}{{ a }}{{ (a, b) }}",
        "{% for a, b in messages[0].items() %}{{ a }}{{ b }}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% set ns.x = ns.x + [messages[0].content] %}"
        "{{ ns.x | join }}{{ ns.x }}",
        "{% generation %}{{ messages[0].content }}{% endgeneration %}",
        "{% for c in messages[0].content %}{{ c }}{% endfor %}",
        "{% set c = cycler(messages[0].content, 'x') %}{{ c.next() }}{{ c.current }}",
        "{% set j = joiner(messages[0].content) %}{{ j() }}{{ j() }}",
    ],
)
def test_no_statement_makes_a_control_token_of_a_persons_text(statements: str, wren: Tokenizer) -> None:
    marker = wren.texts[0]
    messages = [Message("user", f"hi {marker} you")]
    prompt = ChatTemplateRenderer("<|im_start|>" + statements).render(messages)
    assert marker.casefold() in prompt.text.casefold()
    assert wren.count(prompt.pieces) == 1, prompt.pieces


def test_what_an_escaping_block_writes_is_a_persons_text_and_said(wren: Tokenizer) -> None:
    marker = wren.texts[0]
    source = (
        "{% for m in messages %}{% autoescape true %}{{ m.content }}{% endautoescape %}"
        + marker
        + "{% endfor %}"
    )
    prompt = ChatTemplateRenderer(source).render([Message("user", marker)])
    assert wren.count(prompt.pieces) == 0
    assert any("cannot be followed" in note for note in prompt.notes)


def test_an_options_text_is_a_persons_text(wren: Tokenizer) -> None:
    marker = wren.texts[0]
    source = "{{ effort }}{% for m in messages %}{{ m.content }}{% endfor %}"
    prompt = ChatTemplateRenderer(source, options=(("effort", marker),)).render([Message("user", "hi")])
    assert prompt.text == marker + "hi"
    assert wren.count(prompt.pieces) == 0


CONTENT = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=" \n\tab<|>/[]{}%'\"\\", max_size=20),
    st.lists(
        st.sampled_from(
            [
                "<|im_end|>",
                "<|im_start|>",
                "<think>",
                "</think>",
                "{{ 7 }}",
                "[INST]",
                " ",
                "\n",
                "你好",
                "👩‍👩‍👧",
                "ß",
                "ok",
            ]
        ),
        max_size=8,
    ).map("".join),
)


WORDS = ("amber", "birch", "cedar", "daisy", "ember", "fern", "gorse", "hazel")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(TEMPLATES)),
    system=st.none() | CONTENT,
    contents=st.lists(CONTENT, min_size=1, max_size=7),
    special=st.integers(0, 2),
)
def test_any_conversation_has_transformers_text_and_no_control_token_of_a_person(
    name: str, system: str | None, contents: list[str], special: int, wren: Tokenizer
) -> None:
    messages: list[Message] = []
    if system is not None:
        messages.append(Message("system", system.replace("ok", wren.texts[special]) + WORDS[-1]))
    for i, content in enumerate(contents):
        text = content.replace("ok", wren.texts[special]) + WORDS[i]
        messages.append(Message("assistant" if i % 2 else "user", text))
    renderer = ChatTemplateRenderer(TEMPLATES[name], BOS, EOS)
    sent = renderer.sent(messages)
    tools: list[object] | None = None if sent.tools is None else []
    variables = {"bos_token": BOS, "eos_token": EOS, "tools": tools, "documents": tools}
    assert sent.text == _reference(TEMPLATES[name], sent.messages, len(contents) % 2 == 1, variables)
    harmless = renderer.sent(without_control_texts(messages, wren.texts))
    assert wren.count(sent.pieces) == wren.count([Piece(harmless.text, PIECE, parse_special=True)])
    words = (*WORDS[-1:], *WORDS) if system is not None else WORDS
    talk = Talk("", tuple(messages), tuple(words[: len(messages)]))
    assert list(lost_messages(talk, sent.text, sent.notes)) == []


# Steps that give a text again, of which any number may follow each other.
STEPS = (
    ".strip()", ".lstrip('<')", ".rstrip()", ".upper()", ".lower()", ".title()", ".swapcase()",
    ".capitalize()", ".split('e')[-1]", ".split(' ')[0]", ".rsplit(' ', 1)[-1]", ".split('>') | join('>')",
    ".splitlines() | join('-')", ".partition('<')[2]", ".rpartition('>')[0]", ".replace('a', 'b')",
    ".replace('', '.')", ".replace('e', m.content)", "[1:]", "[:-1]", "[::-1]", "[::2]",
    ".removeprefix('<')", ".ljust(9, '.')", ".center(30)", ".zfill(20)", " | trim", " | upper",
    " | replace('d', '|')", " | title", " | e", " | tojson", " | string", " | reverse", " | list | join",
    " | list | string", " | indent(2)", " | truncate(12)", " | wordwrap(4)", " | urlencode",
    " | batch(3) | map('join') | join('/')", " | map('upper') | join", " | sort | join", " | center(20)",
    " | default('x', true)", " ~ m.content", " ~ [m.content]", " * 2", " + ('<%s>' % m.content)",
    " + '{}|{}'.format(m.content, m.role)", " + (m | tojson)",
    " + (messages | map(attribute='content') | join)", " + ''.join([m.content, '!'])",
    " + (m.content if m.content in m.content else '')",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(STEPS), max_size=5),
    content=st.lists(
        st.sampled_from(["<|im_end|>", "<", "|im_end|>", "a", "e d", "\n", " ", "ß", "你", "{}", "%"])
    ),
    is_set=st.booleans(),
)
def test_no_chain_of_changes_makes_a_control_token_of_a_persons_text(
    steps: list[str], content: list[str], is_set: bool, wren: Tokenizer
) -> None:
    expression = "m.content"
    for step in steps:
        expression = f"({expression}{step})"
    shown = "{{ " + expression + " }}"
    if is_set:
        shown = "{% set ns = namespace(text='') %}{% set ns.text = " + expression + " %}{{ ns.text }}"
    source = "{% for m in messages %}<|im_start|>" + shown + "{% endfor %}<|im_start|>"
    try:
        sent = ChatTemplateRenderer(source).sent([Message("user", "".join(content))])
    except TemplateError:
        return  # an index beyond a list's end, an empty separator
    assert sent.text == _reference(source, sent.messages, True, {})
    own = [piece for piece in sent.pieces if piece.parse_special]
    if " | e" in steps and any("cannot be followed" in note for note in sent.notes):
        # Escaped text escapes what is added to it; which then cannot be told apart.
        assert wren.count(sent.pieces) in (0, 2)
        return
    # The template holds none of the one token and writes the other one twice.
    assert wren.count(sent.pieces) == 2
    assert "".join(piece.text for piece in own).count("<|im_start|>") == 2
