"""Differences of presets, by part and in the rendered prompt."""

from __future__ import annotations

from playground.presets.preset import Preset, PresetExample, PresetSampling, PresetTemplate
from playground.prompts.templates import BUILT_IN
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


def test_a_template_is_compared_by_its_patterns() -> None:
    own = PresetTemplate(name="mine", turn=BUILT_IN["basechat"].turn.replace("# Query:", "# Ask:"))
    diff = diff_presets(BASE, BASE.model_copy(update={"template": own, "stop": ("end", "stop")}))
    assert [(part.part, part.change) for part in diff.parts] == [
        ("stop", "added"),
        ("template.name", "changed"),
        ("template.turn", "changed"),
    ]
    assert "-# Query:" in diff.parts[2].lines
    assert "+# Ask:" in diff.parts[2].lines
    assert diff.parts[0].lines[-2:] == ("+end", "+stop")
