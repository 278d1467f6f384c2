"""Rendering: byte-exact against the formats of the published projects, and total over conversations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import TemplateError
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN, built_in, check_template
from playground.types import Example, Message, Template

USER, ASSISTANT = "user", "assistant"
F = "```"
TALK = (Message(USER, "q1"), Message(ASSISTANT, "a1"), Message(USER, "hi"))


def _published(name: str, prefix: str, messages: tuple[Message, ...]) -> str:
    """The four renderings of URIAL's ``src/fastchat_conversation.py``, written down a second way."""
    roles = {
        "urial_backticks": ("# Query:", "# Answer:"),
        "urial_v4": ("User:", "Assistant:"),
        "urial_v5": ("# User:", "# Assistant:"),
        "urial_v6": ("# User:", "# Assistant:"),
    }[name]
    text = prefix
    for message in (*messages, None):
        role = roles[0] if message is not None and message.role == USER else roles[1]
        said = None if message is None else message.content
        if name == "urial_backticks":
            text += f"\n{role}\n{F}\n" + ("" if said is None else f"{said}\n{F}\n")
        elif name == "urial_v6":
            text += f"\n\n{role}\n" + ("" if said is None else said.strip("\n") + "\n")
        else:
            text += f"\n{role}\n\n" + ("" if said is None else f"{said}\n\n")
    return text


@pytest.mark.parametrize("name", ["urial_backticks", "urial_v4", "urial_v5", "urial_v6"])
@given(words=st.lists(st.text(max_size=30), min_size=1, max_size=5), prefix=st.text(min_size=1, max_size=60))
def test_live_turns_equal_the_published_rendering(name: str, words: list[str], prefix: str) -> None:
    if len(words) % 2 == 0:
        words = words[:-1]
    messages = tuple(Message(USER if i % 2 == 0 else ASSISTANT, w) for i, w in enumerate(words))
    rendered = TemplateRenderer(built_in(name), prefix=prefix).render(messages)
    assert rendered.text == _published(name, prefix, messages)


def test_the_worked_example_of_urial_backticks() -> None:
    prompt = TemplateRenderer(built_in("urial_backticks"), prefix="S").render([Message(USER, "hi")])
    assert prompt.text == "S\n# Query:\n" + F + "\nhi\n" + F + "\n\n# Answer:\n" + F + "\n"


def test_basechat_with_system_examples_and_history() -> None:
    renderer = TemplateRenderer(built_in("basechat"), system="Sys", examples=(Example("eq", "ea"),))
    assert renderer.render(TALK).text == (
        'Sys\n\n# Query:\n"""\neq\n"""\n\n# Answer:\n"""\nea\n"""\n'
        '\n# Query:\n"""\nq1\n"""\n\n# Answer:\n"""\na1\n"""\n'
        '\n# Query:\n"""\nhi\n"""\n\n# Answer:\n"""\n'
    )


def test_plain_leaves_the_space_to_the_model() -> None:
    prompt = TemplateRenderer(built_in("plain")).render(TALK)
    assert prompt.text == "User: q1\nAssistant: a1\n\nUser: hi\nAssistant:"
    assert prompt.lead == " "


def test_raw_is_the_persons_words() -> None:
    assert TemplateRenderer(built_in("raw")).render([Message(USER, " as it is \n")]).text == " as it is \n"


def test_history_looks_exactly_like_the_examples() -> None:
    for template in BUILT_IN.values():
        as_example = TemplateRenderer(template, "S", (Example("q1", "a1"),)).render([Message(USER, "hi")])
        as_history = TemplateRenderer(template, "S").render(TALK)
        assert as_example.text == as_history.text, template.name


def test_a_disabled_example_is_skipped_and_keeps_its_number() -> None:
    examples = (Example("q0", "a0", enabled=False), Example("q1", "a1"))
    prompt = TemplateRenderer(built_in("basechat"), examples=examples).render([Message(USER, "hi")])
    assert "q0" not in prompt.text
    assert {s.origin.index for s in prompt.spans if s.origin.part == "example"} == {1}


def test_a_prefix_stands_in_place_of_system_and_examples() -> None:
    renderer = TemplateRenderer(built_in("basechat"), "Sys", (Example("eq", "ea"),), prefix="P")
    assert renderer.render([]).text == "P"


def test_nothing_asked_gives_the_head_alone() -> None:
    assert TemplateRenderer(built_in("basechat"), system="Sys").render([]).text == "Sys\n"
    assert TemplateRenderer(built_in("basechat")).render([]).text == ""


def test_an_answered_conversation_opens_no_turn() -> None:
    prompt = TemplateRenderer(built_in("basechat")).render(TALK[:2])
    assert prompt.text.endswith('a1\n"""\n')
    assert all(span.origin.part == "history" for span in prompt.spans)


def test_a_system_message_stands_in_place_of_the_presets() -> None:
    prompt = TemplateRenderer(built_in("basechat"), system="old").render([Message("system", "new"), *TALK])
    assert prompt.text.startswith("new\n\n# Query:")
    assert "old" not in prompt.text


_messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=8
)


@given(_messages, st.sampled_from(sorted(BUILT_IN)), st.text(max_size=20))
def test_spans_cover_the_text_and_every_message_is_in_it(
    messages: list[Message], name: str, system: str
) -> None:
    prompt = TemplateRenderer(built_in(name), system, (Example("eq", "ea"),)).render(messages)
    assert "".join(prompt.text[s.start : s.end] for s in prompt.spans) == prompt.text
    assert all(piece.text for piece in prompt.pieces)
    for message in messages:
        assert message.content.strip("\n") in prompt.text
    for piece in prompt.pieces:
        assert piece.parse_special == (piece.origin.field == "template")


@pytest.mark.parametrize(
    ("turn", "word"),
    [
        ("{query}", "{answer} 0 times"),
        ("{answer}{query}", "swap"),
        ("{query}{query}{answer}", "{query} 2 times"),
    ],
)
def test_a_wrong_pattern_is_told(turn: str, word: str) -> None:
    with pytest.raises(TemplateError, match=word.replace("{", "\\{").replace("}", "\\}")):
        check_template(Template("mine", "{system}", turn))


def test_an_unknown_template_lists_those_there_are() -> None:
    with pytest.raises(TemplateError, match="basechat"):
        built_in("nope")
