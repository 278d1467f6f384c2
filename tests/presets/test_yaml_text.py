"""YAML as presets use it: limits, places, comments, and the same bytes for the same value."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import PresetError
from playground.presets.yaml_text import LONG_TEXT, Place, comments, read_yaml, write_yaml

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
LINES = st.lists(
    st.text(alphabet="ab #:-'\"|>{}[]\t\\é中🙂\r\x85\u2028\ufeff\0", max_size=12), max_size=6
).map("\n".join)


@given(st.one_of(ANY_TEXT, LINES))
def test_every_text_comes_back_and_is_written_to_the_same_bytes(text: str) -> None:
    written = write_yaml({"k": text, "list": [text]})
    assert read_yaml(written, source="f").value == {"k": text, "list": [text]}
    assert write_yaml({"k": text, "list": [text]}) == written
    assert yaml.safe_load(written) == {"k": text, "list": [text]}  # and for every other reader


@given(st.floats() | st.integers(-(10**12), 10**12) | st.booleans() | st.none())
def test_every_plain_value_comes_back(value: float | int | bool | None) -> None:
    again = read_yaml(write_yaml({"k": value}), source="f").value
    assert isinstance(again, dict)
    assert again["k"] == value or (value != value and again["k"] != again["k"])
    assert type(again["k"]) is type(value)


def test_long_texts_are_blocks_and_never_folded() -> None:
    long = "word " * 40 + "end"
    assert write_yaml({"system": long}) == f"system: |-\n  {long}\n"
    assert write_yaml({"system": "x" * LONG_TEXT}) == f"system: {'x' * LONG_TEXT}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k: yes", "yes"),
        ("k: No", "No"),
        ("k: 1:30", "1:30"),
        ("k: 2026-01-02", "2026-01-02"),
        ("k: '5'", "5"),
        ("k: 5", 5),
        ("k: -0.5", -0.5),
        ("k: .inf", float("inf")),
        ("k: ~", None),
        ("k: true", True),
        ("k: !!str 5", "5"),
        ("k: 1_000", "1_000"),
    ],
)
def test_only_what_json_has_is_no_text(text: str, value: object) -> None:
    assert read_yaml(text, source="f").value == {"k": value}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: *x", ["line 2, column 4", "aliases"]),
        ("a: 1\nb: !!python/object/apply:os.system [x]", ["line 2, column 4", "no constructor"]),
        ("a: 1\nb: !x 1", ["line 2, column 4", "no constructor"]),
        ("a: 1\n? [b]\n: 2", ["line 2, column 3", "a key is a word"]),
        ("a: 1\n---\nb: 2", ["line 2, column 1", "second document"]),
        ("a: 1\nb: x\0y", ["line 2, column 5", "U+0000"]),
        ("a: 1\nb: \ud800", ["line 2, column 4", "U+D800"]),
        ("a: 1\n a: 2", ["line 2, column 3", "mapping values"]),
        ("a: [\n[\n[" + "[" * 30, ["line 3", "deep"]),
        ("a: 1\nb: 'x", ["line 2", "column"]),
        ("a: 1\nb: " + "9" * 5000, ["line 2, column 4", "no number"]),
    ],
)
def test_what_is_refused_has_a_line_and_a_column(text: str, words: list[str]) -> None:
    with pytest.raises(PresetError) as caught:
        read_yaml(text, source="mine.yaml")
    for word in ("mine.yaml", *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


BOMB = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 2_000_000,
        "{a: " * 400_000,
        "- " * 1_000_000,
        "[" + "a," * 900_000 + "]",
        "a:\n " * 400_000,
        BOMB,
        "? " * 900_000,
    ],
    ids=["brackets", "braces", "dashes", "items", "keys", "aliases", "complex keys"],
)
def test_what_grows_is_refused_before_it_does(text: str) -> None:
    started = time.process_time()
    with pytest.raises(PresetError, match="line"):
        read_yaml(text, source="bomb.yaml")
    assert time.process_time() - started < 2.0


def test_places_of_keys_and_items() -> None:
    read = read_yaml(
        "name: x\nexamples:\n  - query: a\n    answer: b\n  - {query: c, answer: d}\n", source="f"
    )
    assert read.place(("examples", 1, "answer")) == Place(5, 16)
    assert read.place(("examples", 0, "note")) == Place(3, 5)
    assert read.place(("nope",)) == Place(1, 1)


def test_comments_are_told_from_what_looks_like_one() -> None:
    text = (
        "# head\nname: x # why\nsystem: |  # block\n  # Instruction\n  a # b\n# after\n"
        "title: 'a # b'\nurl: a#b\ntags: [a, # one\n  b]\nplain: one\n  two\n"
    )
    assert [(c.line, c.text) for c in comments(text)] == [
        (1, "# head"),
        (2, "# why"),
        (3, "# block"),
        (6, "# after"),
        (9, "# one"),
    ]
    assert comments("name: x\nsystem: '# no'\n") == ()
