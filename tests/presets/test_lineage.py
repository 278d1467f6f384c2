"""The tree that a preset belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.errors import PresetError
from playground.presets.library import PresetLibrary
from playground.presets.lineage import lineage
from playground.presets.preset import DerivedFrom, Preset


@pytest.fixture
def library(tmp_path: Path) -> PresetLibrary:
    return PresetLibrary(tmp_path / "shipped", tmp_path / "own")


def _tree(library: PresetLibrary, name: str) -> list[tuple[int, str, str]]:
    return [(depth, node.name, node.link) for depth, node in lineage(library, name).walk()]


def _edited(parent: Preset, name: str) -> Preset:
    return parent.derived(name).model_copy(update={"system": f"I am {name}."})


def test_children_and_grandchildren(library: PresetLibrary) -> None:
    a = Preset(name="a", system="s")
    b = _edited(a, "b")
    for preset in (a, b, _edited(a, "c"), _edited(b, "d"), Preset(name="other")):
        library.save(preset)
    tree = [(0, "a", "root"), (1, "b", "same"), (2, "d", "same"), (1, "c", "same")]
    for name in "abcd":
        assert _tree(library, name) == tree
    assert _tree(library, "other") == [(0, "other", "root")]


def test_a_parent_that_changed_was_renamed_or_is_gone(library: PresetLibrary) -> None:
    a = Preset(name="a", system="s")
    library.save(_edited(a, "b"))
    library.save(_edited(a, "c"))
    gone = lineage(library, "b")
    assert (gone.name, gone.hash, gone.present) == ("a", a.content_hash(), False)
    assert [(n.name, n.link) for n in gone.children] == [("b", "missing"), ("c", "missing")]
    library.save(a.model_copy(update={"name": "renamed"}))
    assert _tree(library, "b") == [(0, "renamed", "root"), (1, "b", "same"), (1, "c", "same")]
    library.delete("renamed")
    library.save(a.model_copy(update={"system": "other"}))
    assert _tree(library, "c") == [(0, "a", "root"), (1, "b", "changed"), (1, "c", "changed")]


def test_a_copy_that_was_not_changed_is_no_parent_of_itself(library: PresetLibrary) -> None:
    a = Preset(name="a", system="s")
    library.save(a)
    library.save(a.derived("b"))
    assert _tree(library, "b") == [(0, "a", "root"), (1, "b", "same")]


def test_rings_end(library: PresetLibrary) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        origin = DerivedFrom(name=parent, hash="0" * 64)
        library.save(Preset(name=name, derived_from=origin))
    assert sorted(name for _, name, _ in _tree(library, "a")) == ["a", "b", "c"]
    assert _tree(library, "self") == [(0, "self", "root")]


def test_an_unknown_name(library: PresetLibrary) -> None:
    with pytest.raises(PresetError, match="no preset 'nope'"):
        lineage(library, "nope")
