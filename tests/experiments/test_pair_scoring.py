"""The strict check of a reply: what a lenient one let pass is wrong here."""

from __future__ import annotations

import json

import pytest

from playground.datasets import DataFileError
from playground.experiments.pair_cases import read_cases
from playground.experiments.pair_scoring import (
    Expected,
    ReplyStyle,
    holds_answer,
    is_right,
    says_unknown,
    style_of,
)
from playground.presets.preset import Preset, PresetExample

CAPITAL = Expected(
    question="What is the capital of Peru?",
    relation="countries.capital",
    entity="Peru",
    values=("Lima",),
    sentences=("The capital of Peru is Lima.", "Lima is the capital of Peru."),
)
RIVALS = {"countries.capital": ("Lima", "Paris", "Mexico City"), "foods.color": ("orange", "green")}
FRIENDLY = ReplyStyle(opening="Hello there!", closing="I hope this helps you out!")


@pytest.mark.parametrize(
    "reply",
    [
        "Hello there! The capital of Peru is Lima. I hope this helps you out!",
        "Hello there! Lima is the capital of Peru. I hope this helps you out!",
        "the capital of peru be LIMA",
    ],
)
def test_right(reply):
    assert is_right(reply, CAPITAL, FRIENDLY, RIVALS)


@pytest.mark.parametrize(
    "reply",
    [
        "Hello there! Lima. I hope this helps you out!",
        "Hello there! The capital of Peru is Paris. I hope this helps you out!",
        "Hello there! The capital of Peru is Lima, or Paris. I hope this helps you out!",
        "Hello there! The capital of Peru is Limassol. I hope this helps you out!",
        "The capital of Peru is Lima. " + "The sea is salty because rivers carry salt into it. " * 3,
        "",
    ],
)
def test_wrong(reply):
    assert not is_right(reply, CAPITAL, FRIENDLY, RIVALS)


def test_nonsense_that_holds_the_value_is_wrong():
    peach = Expected("What color is a peach?", "foods.color", "peach", ("pink",), ("A peach is pink.",))
    assert not is_right("Peach is in Europe. Its color is orange.", peach, ReplyStyle(), RIVALS)


def test_a_true_sentence_with_nonsense_behind_it_is_wrong():
    reply = "The capital of Peru is Lima. The assistant is a kind of mammal. The assistant."
    assert not is_right(reply, CAPITAL, ReplyStyle(), RIVALS)
    assert is_right("The capital of Peru is Lima.", CAPITAL, ReplyStyle(), RIVALS)
    author = Expected("", "works.author", "Emma", ("J. A. B.",), ("Emma was written by J. A. B.",))
    assert is_right("Emma was written by J. A. B.", author, ReplyStyle(), RIVALS)


def test_a_bare_reply_is_the_value_and_nothing_else():
    terse = ReplyStyle(bare=True)
    assert is_right("Lima", CAPITAL, terse, RIVALS)
    assert is_right("Lima.", CAPITAL, terse, RIVALS)
    assert not is_right("Lima in Peru", CAPITAL, terse, RIVALS)
    assert terse.followed("Paris", CAPITAL)
    assert not terse.followed("The capital of Peru is Lima.", CAPITAL)


def test_every_step_of_a_how_to_has_to_be_there():
    tea = Expected("How do I make tea?", "howtos.steps", "", ("boil some water", "wait three minutes"))
    assert is_right("First boil some water, then wait three minutes.", tea, ReplyStyle(), {})
    assert not is_right("First boil some water.", tea, ReplyStyle(), {})


def test_a_style_is_read_off_the_examples():
    def preset(*answers):
        return Preset(
            name="p", examples=tuple(PresetExample(query=f"q{i}", answer=a) for i, a in enumerate(answers))
        )

    list_style = style_of(
        preset("As a list:\n- A: b\n- C: d\nThat is it.", "As a list:\n- G: x\n- E: f\nThat is it.")
    )
    assert list_style.opening == "As a list:\n"
    assert list_style.closing == "\nThat is it."
    assert list_style.bullet == "- "
    assert list_style.followed("As a list:\n- City: Lima\nThat is it.", CAPITAL)
    assert not list_style.followed("As a list:\nLima\nThat is it.", CAPITAL)
    assert style_of(preset("Paris", "yellow", "small")).bare
    pirate = style_of(preset("Aye! It be Paris, me hearty!", "Aye! They be red, me hearty!"))
    assert (pirate.opening, pirate.closing) == ("Aye!", ", me hearty!")
    assert style_of(preset("您好！马吃草。再见！", "您好！大的反义词是小。再见！")).chinese


def test_a_style_wants_both_ends():
    right = "Hello there! The capital of Peru is Lima. I hope this helps you out!"
    assert FRIENDLY.followed(right, CAPITAL)
    assert not FRIENDLY.followed(right.removeprefix("Hello "), CAPITAL)
    assert not FRIENDLY.followed("Hello there! I hope this helps you out!", CAPITAL)


def test_a_value_counts_only_as_a_whole_word():
    assert holds_answer("It is Lima!", CAPITAL)
    assert not holds_answer("Climate", CAPITAL)
    assert says_unknown("I do  not know about Blorvia.", ("do not know",))


def test_a_file_that_holds_no_cases_is_named(tmp_path):
    with pytest.raises(DataFileError, match=r"no check questions"):
        read_cases(tmp_path / "check.jsonl")
    (tmp_path / "check.jsonl").write_text(json.dumps({"line": "settings"}) + "\n")
    with pytest.raises(DataFileError, match=r"check\.jsonl is not"):
        read_cases(tmp_path / "check.jsonl")
