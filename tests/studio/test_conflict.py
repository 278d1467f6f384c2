"""Two people changed one preset."""

from __future__ import annotations

from playground.presets.preset import Preset, PresetExample
from playground.studio.conflict import prompt_difference, three_way

BASE = Preset(name="p", system="one", title="T", examples=(PresetExample(query="q", answer="a"),))


def test_changes_of_different_keys_are_both_kept() -> None:
    mine = BASE.model_copy(update={"system": "mine"})
    theirs = BASE.model_copy(update={"title": "Theirs", "tags": ("x",)})
    view = three_way(BASE, mine, theirs)
    assert view.clashing == ()
    assert (view.merged.system, view.merged.title, view.merged.tags) == ("mine", "Theirs", ("x",))
    assert [part.part for part in view.mine.parts] == ["system"]
    assert [part.part for part in view.theirs.parts] == ["title", "tags"]


def test_changes_of_one_key_clash_and_mine_stands() -> None:
    mine = BASE.model_copy(update={"system": "mine", "examples": ()})
    theirs = BASE.model_copy(update={"system": "theirs", "examples": ()})
    view = three_way(BASE, mine, theirs)
    assert view.clashing == ("system",)  # the examples are gone on both sides alike
    assert view.merged == mine
    assert three_way(BASE, BASE, theirs).merged == theirs
    assert three_way(BASE, BASE, BASE).between.parts == ()


def test_a_difference_of_blanks_can_be_seen() -> None:
    old = Preset(name="p", prefix="one \ntwo\t\r\nthree")
    new = Preset(name="p", prefix="one\ntwo\nthree")
    assert [line for line in prompt_difference(old, new) if line[0] in "+-"] == [
        "-one·",
        "-two→␍",
        "+one",
        "+two",
    ]
