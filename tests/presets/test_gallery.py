"""The shipped presets: what each has to be, and that the set shows what it is there to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.presets.library import PresetLibrary, read_preset
from playground.presets.lineage import lineage
from playground.settings import Settings
from playground.studio.lint import lint

SHIPPED = sorted(Settings.load().shipped_presets.glob("*.yaml"))
SHOWN = {
    *("friendly", "list", "pirate", "terse", "zero-shot", "invented-greeting"),
    *("chain-of-thought", "chain-of-thought-zero-shot", "counterfactual", "refusals", "no-refusals"),
    *("chinese", "chinese-list", "chinese-terse", "chinese-pirate", "chinese-zero-shot"),
    *("chinese-chain-of-thought", "document", "interview", "forum", "screenplay"),
    *("classifier", "translator", "extractor", "teacher", "same-style"),
}


def test_the_gallery_is_what_it_is_said_to_be() -> None:
    assert {path.stem for path in SHIPPED} == SHOWN


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_says_what_it_shows_and_has_nothing_to_mend(path: Path) -> None:
    preset = read_preset(path)
    assert preset.name == path.stem
    assert preset.title
    assert preset.description.rstrip(")").endswith((".", "。"))
    assert preset.language in ("en", "zh")
    assert preset.tags
    assert (preset.author, preset.license) == ("icl-playground", "Apache-2.0")
    assert len(preset.questions) >= 2
    assert not {example.query for example in preset.examples} & set(preset.questions)
    assert lint(preset) == []


def test_chinese_ones_descend_from_the_english_ones() -> None:
    library = PresetLibrary(Settings.load().shipped_presets, Path("nowhere"))
    for parent in ("friendly", "list", "terse", "pirate", "zero-shot", "chain-of-thought"):
        tree = lineage(library, parent)
        assert (tree.name, tree.link) == (parent, "root")
        assert [child.link for child in tree.children] == ["same"]
        assert library.load(tree.children[0].name).language == "zh"


def test_refusals_differ_in_one_example_alone() -> None:
    shown, not_shown = (read_preset(path) for path in SHIPPED if path.stem in ("refusals", "no-refusals"))
    assert shown.system == not_shown.system
    assert sum(a != b for a, b in zip(shown.examples, not_shown.examples, strict=True)) == 1
