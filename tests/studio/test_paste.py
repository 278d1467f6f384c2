"""Pasted text read as examples, and examples chosen from data files."""

from __future__ import annotations

import json

import pytest

from playground.datasets import Columns, DataFileError, parse_data
from playground.prompts.render import TemplateRenderer
from playground.prompts.templates import BUILT_IN
from playground.services.data_shelf import MAX_FILES, DataShelf
from playground.studio.paste import MAX_CHARACTERS, PasteError, readings
from playground.studio.pick import ExampleRows, Wanted
from playground.types import Example, Message, Template

PAIR = (Example("What is it?", "A wren.\n\n# Answer: none"), Example("Where?", "In the hedge."))


@pytest.mark.parametrize("name", ["basechat", "urial_v4", "chatml", "alpaca"])
def test_a_prompt_of_a_template_is_read_exactly(name: str) -> None:
    text = TemplateRenderer(BUILT_IN[name], "Be kind.", PAIR).render([]).text
    for pasted in (text, text.strip("\n"), text.replace("\n", "\r\n")):
        (reading,) = readings(pasted)
        assert (reading.kind, reading.detail) == ("template", name)
        assert (reading.system, reading.examples) == ("Be kind.", PAIR)


def test_a_template_of_ones_own_goes_first() -> None:
    own = Template("mine", "{system}\n", "<<{query}>>\n{answer}\n", separator="\n")
    text = TemplateRenderer(own, "", PAIR).render([]).text
    assert readings(text, own)[0].detail == "mine"
    assert readings(text)[0].kind != "template"


def test_a_prompt_with_its_open_turn_loses_nothing() -> None:
    text = TemplateRenderer(BUILT_IN["basechat"], "Be kind.", PAIR[1:]).render([Message("user", "Why?")]).text
    reading = readings(text)[0]
    assert reading.kind == "turns"
    assert reading.system == "Be kind."
    assert [example.query for example in reading.examples] == ["Where?", "Why?"]
    assert reading.examples[0].answer == "In the hedge."


@pytest.mark.parametrize(
    "text",
    [
        "User: hi\nAssistant: ho\nUser: one\n\ntwo\nAssistant: 2",
        "### Human:\nhi\n### Assistant:\nho\n### Human:\none\n\ntwo\n### Assistant:\n2",
        "**User:** hi\n**Assistant:** ho\n\n**User:** one\n\ntwo\n\n**Assistant:** 2\n",
    ],
)
def test_transcripts_become_examples(text: str) -> None:
    reading = readings(text)[0]
    assert reading.kind == "turns"
    assert reading.examples == (Example("hi", "ho"), Example("one\n\ntwo", "2"))


def test_rows_become_examples_and_bad_ones_are_named() -> None:
    rows = [{"instruction": "q", "output": "a"}, {"output": "none"}, {"instruction": "q2", "output": "a2"}]
    (reading,) = readings("\n".join(map(json.dumps, rows)))
    assert (reading.kind, reading.detail) == ("data", "alpaca")
    assert reading.examples == (Example("q", "a"), Example("q2", "a2"))
    assert [problem.place for problem in reading.problems] == [2]
    talk = {"messages": [{"role": "system", "content": "S"}, *_said("q", "a", "q2")]}
    (reading,) = readings(json.dumps(talk))
    assert reading.system == "S"
    assert reading.examples == (Example("q", "a"), Example("q2", ""))


def _said(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i, text in enumerate(texts)]


def test_plain_lines_are_questions_or_one_query() -> None:
    lines, whole = readings("Why?\n\nHow?\n")
    assert (lines.kind, lines.examples) == ("lines", (Example("Why?", ""), Example("How?", "")))
    assert (whole.kind, whole.examples) == ("whole", (Example("Why?\n\nHow?", ""),))
    assert [reading.kind for reading in readings("Why?")] == ["whole"]
    assert readings(" \n") == ()
    with pytest.raises(PasteError, match="save it as a file"):
        readings("x" * (MAX_CHARACTERS + 1))


ROWS = [
    {"instruction": "Name a BIRD.", "output": "The wren"},
    {"instruction": "Add 1 and 2", "output": ""},
    {"instruction": "Describe a bird at length", "output": "x" * 300},
    {"instruction": "Äpfel?", "output": "rot"},
]


def _found(wanted: Wanted) -> list[int]:
    return [row.id for row in ExampleRows(parse_data(json.dumps(ROWS))).find(wanted)]


def test_rows_are_searched_filtered_and_sorted() -> None:
    assert _found(Wanted()) == [0, 1, 2, 3]
    assert _found(Wanted(search="bird WREN")) == [0]
    assert _found(Wanted(search="äPFEL")) == [3]
    assert _found(Wanted(answered=True)) == [0, 2, 3]
    assert _found(Wanted(max_answer=10, min_answer=1)) == [0, 3]
    assert _found(Wanted(max_query=11)) == [1, 3]
    assert _found(Wanted(sort="shortest")) == [3, 1, 0, 2]
    assert _found(Wanted(sort="longest")) == [2, 0, 1, 3]
    assert _found(Wanted(sort="query")) == [1, 2, 0, 3]
    rows = ExampleRows(parse_data(json.dumps(ROWS)))
    assert rows.answered == 3
    assert rows.take([3, 99, 0]) == [Example("Äpfel?", "rot"), Example("Name a BIRD.", "The wren")]


def test_turns_of_a_conversation_are_rows_of_their_own() -> None:
    talk = {"messages": _said("q", "a", "q2", "a2")}
    rows = ExampleRows(parse_data(json.dumps([talk])))
    assert [(row.place, row.turn, row.turns, row.example.answer) for row in rows.rows] == [
        (1, 1, 2, "a"),
        (1, 2, 2, "a2"),
    ]


def test_a_file_comes_in_parts_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = DataShelf()
    text = json.dumps(ROWS)
    assert shelf.add("a", text[:30], name="f.json", last=False) is None
    rows = shelf.add("a", text[30:], name="f.json", last=True)
    assert rows is not None
    assert shelf.rows("a") is rows
    for n in range(MAX_FILES):
        shelf.add(f"b{n}", text, name="f.json", last=True)
    with pytest.raises(DataFileError, match="choose it again"):
        shelf.rows("a")
    with pytest.raises(DataFileError, match="is empty"):
        shelf.add("c", " ", name="f.json", last=True)
    shelf.close("b0")
    with pytest.raises(DataFileError, match="choose it again"):
        shelf.rows("b0")
    monkeypatch.setattr("playground.services.text_parts.MAX_CHARACTERS", 100)
    with pytest.raises(DataFileError, match="larger than"):
        shelf.add("d", "x" * 101, name="f.json", last=False)


def test_fifty_thousand_rows_are_searched_at_once() -> None:
    text = "question,answer\n" + "".join(f"Question {n} about birds,{'word ' * 60}\n" for n in range(50_000))
    rows = ExampleRows(parse_data(text))
    assert len(rows.rows) == 50_000
    assert [row.id for row in rows.find(Wanted(search="49999"))] == [49_999]
    assert len(rows.find(Wanted(search="birds", sort="shortest", max_answer=300))) == 50_000


def test_a_table_is_read_again_by_other_columns() -> None:
    shelf = DataShelf()
    shelf.add("f", "question,gloss,answer\na,b,c\n", name="x.csv", last=True)
    assert shelf.choose_columns("f", query="gloss", answer="question").rows[0].example == Example("b", "a")
    assert shelf.rows("f").columns == Columns(query="gloss", answer="question")
    assert shelf.choose_columns("f", query="question", answer="").rows[0].example == Example("a", "")
    with pytest.raises(DataFileError, match="no column 'none'"):
        shelf.choose_columns("f", query="none", answer="")
    assert shelf.rows("f").rows[0].example == Example("a", "")
    shelf.close("f")
    with pytest.raises(DataFileError, match="not held any more"):
        shelf.choose_columns("f", query="question", answer="")


def test_prose_that_starts_with_the_name_of_a_column_is_no_table() -> None:
    kinds = [reading.kind for reading in readings("Instruction\nBe kind.\nBe brief.")]
    assert "data" not in kinds
    (reading,) = readings('question\n"What is\nice?"\n')
    assert (reading.kind, reading.examples) == ("data", (Example("What is\nice?", ""),))
