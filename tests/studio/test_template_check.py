"""A template that is edited: sentences at its fields, its stops, and whether its text can be read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.prompts.stops import derive_stops
from playground.prompts.templates import BUILT_IN
from playground.studio.template_check import check_fields, round_trip, template_json
from playground.types import Example, Template

GOOD = BUILT_IN["basechat"]


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "raw"])
def test_every_built_in_template_with_headers_can_be_read_back(name: str) -> None:
    checked = check_fields(BUILT_IN[name])
    assert checked.problems == {}
    assert checked.warnings == ()
    assert checked.stop == derive_stops(BUILT_IN[name])
    assert checked.sample.count("question?") == 3


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("turn", "Q: {query}", "{answer} 0 times"),
        ("turn", "{answer} {query}", "swap them"),
        ("turn", "{query}{query}{answer}", "{query} 2 times"),
        ("system", "no field", "{system} 0 times"),
        ("name", " ", "needs a name"),
    ],
)
def test_a_wrong_field_is_one_sentence_at_that_field(field: str, value: str, said: str) -> None:
    checked = check_fields(replace(GOOD, **{field: value}))
    assert list(checked.problems) == [field]
    assert said in checked.problems[field]
    assert (checked.stop, checked.sample) == ((), "")


def test_what_cannot_be_read_back_is_said() -> None:
    said = [
        round_trip(Template("t", "{system}\n", "{query}\nA: {answer}\n")),
        round_trip(Template("t", "{system}\n", "Q: {query}{answer}\n")),
        # the next header is a beginning of a line of an answer
        round_trip(Template("t", "{system}\n", "F{query}: {answer}\n", separator="")),
    ]
    assert all(said)
    assert len(set(said)) == 3
    assert check_fields(BUILT_IN["raw"]).warnings[0].startswith("No stop follows")


def test_a_text_that_holds_the_header_itself_does_not_come_back() -> None:
    tricky = (Example("one", 'two\n"""\n\n# Query:\n"""\nthree\n"""\n\n# Answer:\n"""\nfour'),)
    assert round_trip(GOOD, "S", (Example("one", "two"),)) is None
    assert round_trip(GOOD, "S", tricky) is not None


def test_the_fields_are_those_of_a_preset_file() -> None:
    assert template_json(GOOD) == {
        "name": "basechat",
        "system": "{system}\n",
        "turn": GOOD.turn,
        "separator": "\n",
        "lead": "",
        "strip_newlines": False,
    }
