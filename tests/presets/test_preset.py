"""Presets as text: what is read, what is refused and in which words, and that a save changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import PresetError
from playground.presets.preset import MAX_BYTES, Preset, PresetExample, PresetSampling, PresetTemplate

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
        ("[" * 5000, ["cannot be read"]),
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


def test_the_hash_follows_what_shapes_the_prompt_and_nothing_else() -> None:
    preset = Preset(name="a", system="s", examples=(PresetExample(query="q", answer="a", note="n"),))
    same = preset.model_copy(
        update={"name": "b", "notes": "!", "examples": (PresetExample(query="q", answer="a"),)}
    )
    other = preset.model_copy(update={"examples": (PresetExample(query="q", answer="a", enabled=False),)})
    assert preset.content_hash() == same.content_hash()
    assert preset.content_hash() != other.content_hash()


def test_a_template_of_its_own() -> None:
    text = "name: x\ntemplate:\n  turn: 'Q {query} A {answer}'\n"
    own = Preset.from_yaml(text).own_template()
    assert own is not None
    assert own.turn == "Q {query} A {answer}"
    assert Preset(name="x", template=PresetTemplate(turn=own.turn)).own_template() == own
    assert Preset(name="x").own_template() is None
