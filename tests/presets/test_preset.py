"""Presets as text: what is read, what is refused and in which words, and that a save changes nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import PresetError
from playground.presets.migrations import MIGRATIONS, SCHEMA
from playground.presets.preset import (
    MAX_BYTES,
    Preset,
    PresetExample,
    PresetResult,
    PresetSampling,
    PresetTemplate,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"], whitelist_characters="\n\t"), max_size=40)


@given(system=TEXT, query=TEXT, answer=TEXT, temperature=st.floats(0, 10), prefix=st.none() | TEXT)
def test_a_saved_preset_reads_back_equal_and_saves_to_the_same_bytes(
    system: str, query: str, answer: str, temperature: float, prefix: str | None
) -> None:
    preset = Preset(
        name="p",
        system=system,
        prefix=prefix,
        examples=(PresetExample(query=query, answer=answer),),
        sampling=PresetSampling(temperature=temperature),
    )
    again = Preset.from_yaml(preset.to_yaml())
    assert again == preset
    assert again.to_yaml() == preset.to_yaml()


def test_texts_of_several_lines_are_blocks() -> None:
    preset = Preset(name="p", system="one\n\n  two\n")
    assert "system: |\n  one\n\n    two\n" in preset.to_yaml()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\nsytem: y", ["unknown key 'sytem'", "system"]),
        ("name: 3", ["'name' is 3", "string"]),
        ("title: x", ["'name' is missing"]),
        ("name: x\nexamples:\n- query: a\n  anser: b", ["'examples.0.anser'", "query, answer"]),
        ("name: x\nexamples:\n- query: a", ["'examples.0.answer' is missing"]),
        ("name: x\ntemplate: {turn: abc}", ["'template.turn'", "{query} and {answer} once each"]),
        ("name: x\ntemplate: 4", ["'template' is 4"]),
        ("name: x\nsampling: {temprature: 1}", ["'sampling.temprature'", "temperature"]),
        ("name: x\nsampling: {temperature: warm}", ["'sampling.temperature' is 'warm'", "number"]),
        ("name: x\nsampling: {temperature: -1}", ["'sampling.temperature' is -1", "0"]),
        ('name: x\nstop: ["\\n"]', ["white space alone is never a stop"]),
        ("schema: 3\nname: x", ["schema 3", "update"]),
        ("- a", ["top level"]),
        ("", ["top level"]),
        ("name: x\nname: y", ["line 2", "twice"]),
        ("a: &a [1]\nname: *a", ["line 2", "aliases"]),
        ("name: [", ["line 1", "column"]),
        ("name: x\nsystem: !!python/object:os.system x", ["line 2", "constructor"]),
        ("[" * 5000, ["cannot be read", "nested more than 20 deep"]),
        ("{a: " * 5000, ["cannot be read", "nested more than 20 deep"]),
        ("- " * 5000 + "x", ["cannot be read", "nested more than 20 deep"]),
        ("name: x\0", ["not valid YAML"]),
    ],
)
def test_bad_files_are_one_clear_sentence(text: str, words: list[str]) -> None:
    with pytest.raises(PresetError) as caught:
        Preset.from_yaml(text, source="mine.yaml")
    message = str(caught.value)
    assert "mine.yaml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_file_of_fifty_megabytes_is_refused() -> None:
    with pytest.raises(PresetError, match="larger than 2 MB"):
        Preset.from_yaml("name: x\nsystem: " + "y" * 50_000_000)
    assert MAX_BYTES == 2_000_000


def test_no_file_is_written_that_would_not_be_read() -> None:
    """Of ten megabytes at once; of escapes that make a text longer, once it is written."""
    began = time.process_time()
    with pytest.raises(PresetError, match=r"would take 10\.0 MB and a preset has at most 2 MB"):
        Preset(name="x", examples=(PresetExample(query="é\x85" * 2_500_000, answer=""),)).to_yaml()
    assert time.process_time() - began < 1.0
    with pytest.raises(PresetError, match="at most 2 MB"):
        Preset(name="x", system="\x01" * 600_000).to_yaml()


def test_the_hash_follows_what_shapes_the_prompt_and_nothing_else() -> None:
    preset = Preset(name="a", system="s", examples=(PresetExample(query="q", answer="a", note="n"),))
    same = preset.model_copy(
        update={"name": "b", "notes": "!", "examples": (PresetExample(query="q", answer="a"),)}
    )
    other = preset.model_copy(update={"examples": (PresetExample(query="q", answer="a", enabled=False),)})
    assert preset.content_hash() == same.content_hash()
    assert preset.content_hash() != other.content_hash()


def test_an_error_names_line_and_column() -> None:
    text = "name: x\nsampling:\n  temperature: 0.5\n  temprature: 1\n"
    with pytest.raises(PresetError, match=r"line 4, column 3: unknown key 'sampling\.temprature'"):
        Preset.from_yaml(text, source="mine.yaml")
    with pytest.raises(PresetError, match=r"line 3, column 5: 'examples\.0' is 'q'"):
        Preset.from_yaml("name: x\nexamples:\n- q\n".replace("- q", "  - q"))


def test_half_a_character_is_refused() -> None:
    with pytest.raises(PresetError, match=r"examples\.0\.query.*half a character"):
        Preset.checked({"name": "x", "examples": [{"query": "\ud800", "answer": ""}]})
    with pytest.raises(PresetError, match="half a character"):
        Preset.checked({"name": "x", "tags": ["\udfff"]})


def test_an_old_file_is_migrated_and_saved_in_todays_schema() -> None:
    old = "schema: 1\nname: old\nsystem: Hello.\n"
    preset = Preset.from_yaml(old)
    assert preset.language == "en"  # what schema 1 meant by saying nothing
    assert preset.to_yaml() == "schema: 2\nname: old\nlanguage: en\nsystem: Hello.\n"
    assert Preset.from_yaml(old + "language: zh\n").language == "zh"
    assert Preset.from_yaml("schema: 2\nname: new\n").language == ""
    assert Preset.from_yaml(preset.to_yaml()) == preset


def test_every_older_schema_has_a_migration() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA))
    for wrong in ("schema: 0", "schema: true", "schema: '2'", "schema: -1"):
        with pytest.raises(PresetError, match="'schema' is"):
            Preset.from_yaml(f"{wrong}\nname: x\n")


def test_a_copy_remembers_its_parent() -> None:
    parent = Preset(name="a", system="s", results=(PresetResult(measure="right", value=0.5, n=10),))
    child = parent.derived("b").model_copy(update={"system": "t"})
    assert child.derived_from is not None
    assert (child.derived_from.name, child.derived_from.hash) == ("a", parent.content_hash())
    assert child.results == ()
    assert Preset.from_yaml(child.to_yaml()) == child
    with pytest.raises(PresetError, match=r"derived_from\.hash"):
        Preset.from_yaml("name: x\nderived_from: {name: y, hash: short}\n")


def test_a_template_of_its_own() -> None:
    text = "name: x\ntemplate:\n  turn: 'Q {query} A {answer}'\n"
    own = Preset.from_yaml(text).own_template()
    assert own is not None
    assert own.turn == "Q {query} A {answer}"
    assert Preset(name="x", template=PresetTemplate(turn=own.turn)).own_template() == own
    assert Preset(name="x").own_template() is None
