"""Differences of presets, by part and in the rendered prompt."""

from __future__ import annotations

from playground.presets.preset import Preset, PresetExample, PresetSampling
from playground.studio.diff import diff_presets

A, B, C = (PresetExample(query=f"q{x}", answer=f"a{x}") for x in "abc")
BASE = Preset(name="p", system="one\ntwo", examples=(A, B, C))


def _parts(new: Preset) -> list[tuple[str, str]]:
    return [(part.part, part.change) for part in diff_presets(BASE, new).parts]


def test_nothing_differs() -> None:
    diff = diff_presets(BASE, BASE)
    assert diff.parts == ()
    assert diff.prompt == ()
    assert diff.same_content


def test_system_and_sampling() -> None:
    new = BASE.model_copy(update={"system": "one\nthree", "sampling": PresetSampling(temperature=0.5)})
    diff = diff_presets(BASE, new)
    assert [(p.part, p.change) for p in diff.parts] == [
        ("system", "changed"),
        ("sampling.temperature", "changed"),
    ]
    assert "-two" in diff.prompt
    assert "+three" in diff.prompt
    assert not diff.same_content


def test_examples_added_removed_moved_changed() -> None:
    d = PresetExample(query="qd", answer="ad")
    assert _parts(BASE.model_copy(update={"examples": (A, B, C, d)})) == [("examples.3", "added")]
    assert _parts(BASE.model_copy(update={"examples": (A, C)})) == [("examples.1", "removed")]
    assert [change for _, change in _parts(BASE.model_copy(update={"examples": (C, A, B)}))] == ["moved"]
    off = B.model_copy(update={"enabled": False})
    assert _parts(BASE.model_copy(update={"examples": (A, off, C)})) == [("examples.1", "changed")]


def test_a_note_changes_no_prompt() -> None:
    noted = BASE.model_copy(update={"examples": (A.model_copy(update={"note": "why"}), B, C), "notes": "x"})
    diff = diff_presets(BASE, noted)
    assert diff.prompt == ()
    assert diff.same_content
    assert {part.part for part in diff.parts} == {"notes", "examples.0"}
