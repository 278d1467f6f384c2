"""URIAL's, EPFL's and BaseChat's files: structured or verbatim, and the bytes that their projects send."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.chat.assistant import preset_renderer
from playground.errors import PresetError
from playground.imports import check_dir
from playground.imports.check_dir import check_file, check_folder, reference_prompt
from playground.imports.urial import import_prompt_file, rendering_of
from playground.presets.preset import Preset
from playground.types import Message

FOLDER = Path(__file__).parent / "fixtures" / "urial"
F = "```"
# File: (rendering, kind, examples)
EXPECTED = {
    "basechat.txt": ("basechat", "structured", 2),
    "block_fences.txt": ("urial_backticks", "structured", 3),
    "carriage_returns.txt": ("urial_backticks", "verbatim", 1),
    "chinese.txt": ("urial_backticks", "structured", 1),
    "headers_spaced.txt": ("urial_v5", "structured", 3),
    "headers_tight.txt": ("urial_v6", "structured", 3),
    "headers_uneven.txt": ("urial_v6", "verbatim", 2),
    "inline_fences.txt": ("urial_backticks", "verbatim", 2),
    "many.txt": ("urial_backticks", "structured", 53),
    "no_system.txt": ("urial_backticks", "structured", 2),
    "plain_headers.txt": ("urial_v4", "structured", 3),
    "queries_only.txt": ("urial_backticks", "verbatim", 3),
    "system_only.txt": ("urial_backticks", "structured", 0),
    "system_only_cut.txt": ("urial_backticks", "verbatim", 0),
}


def _text(name: str) -> str:
    return (FOLDER / name).read_bytes().decode()


def test_every_file_of_the_folder_is_its_projects_prompt() -> None:
    checked = list(check_folder(FOLDER))
    assert {c.path.name: (c.rendering, c.kind, c.examples) for c in checked} == EXPECTED
    assert [c.path.name for c in checked if not c.equal] == []


def test_the_worked_example() -> None:
    """The rendering that formats of these projects define, written out by hand."""
    text = _text("block_fences.txt")
    prompt = text + f"\n# Query:\n{F}\nhi\n{F}\n\n# Answer:\n{F}\n"
    assert reference_prompt(text, "urial_backticks", [Message("user", "hi")]) == prompt
    for preset in (
        import_prompt_file(text, name="x").preset,
        Preset(name="x", template="urial_backticks", prefix=text),
    ):
        assert preset_renderer(preset).render([Message("user", "hi")]).text == prompt


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def wrong(text: str, rendering: str, messages: list[Message]) -> str:
        return reference_prompt(text, rendering, messages) + ("\n" if messages else "")

    monkeypatch.setattr(check_dir, "reference_prompt", wrong)
    checked = check_file(FOLDER / "block_fences.txt")
    assert not checked.equal
    assert "with 1 messages" in checked.difference
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    assert "not UTF-8" in check_file(tmp_path / "latin.txt").difference


def test_a_structured_one_has_its_parts() -> None:
    imported = import_prompt_file(_text("block_fences.txt"), name="block_fences")
    preset = imported.preset
    assert preset.name == "block_fences"
    assert preset.prefix is None
    assert preset.system.startswith("# Instruction\n\nBelow")
    assert preset.examples[0].query == "When do I plant tulips?"
    assert preset.examples[1].answer.endswith(f"{F}\n\nIt prints 0, 1 and 2.")
    assert any("byte for byte" in note for note in imported.notes)


def test_a_verbatim_one_shows_its_examples_and_can_be_evened_out() -> None:
    text = _text("inline_fences.txt")
    imported = import_prompt_file(text, name="x")
    assert imported.preset.prefix == text
    assert imported.preset.examples[0].query == "When do I plant tulips?"
    assert imported.preset.examples[1].answer.startswith("No. Hemlock")
    assert imported.normalised is not None
    assert imported.normalised.prefix is None
    assert imported.normalised.examples == imported.preset.examples
    assert preset_renderer(imported.normalised).render([]).text != text


def test_queries_without_answers_are_kept_and_off() -> None:
    imported = import_prompt_file(_text("queries_only.txt"), name="x")
    assert [example.enabled for example in imported.preset.examples] == [False] * 3
    assert any("switched off" in note for note in imported.notes)


@pytest.mark.parametrize(
    ("text", "rendering"),
    [
        ("prose alone", "urial_backticks"),
        ('It says "# User:" within a line.\n', "urial_backticks"),
        (f"# Query:\n{F}\nUser:\n{F}\n", "urial_backticks"),
        ("User:\n\nhi", "urial_v4"),
        ("# User:\n\nhi", "urial_v5"),
        ("# User:\n \nhi", "urial_v5"),
        ("# User:\nhi", "urial_v6"),
        ('# Query:\n"""\nhi', "basechat"),
    ],
)
def test_which_rendering_a_file_gets(text: str, rendering: str) -> None:
    assert rendering_of(text) == rendering


def test_blank_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="is empty"):
        import_prompt_file(" \n", name="x")
    with pytest.raises(PresetError, match="no folder"):
        list(check_folder(tmp_path / "missing"))
    with pytest.raises(PresetError, match="no prompt file"):
        list(check_folder(tmp_path))


HEADERS = ["# Query:", "# Answer:", "# User:", "# Assistant:", "User:", "Assistant:", "# Instruction"]
OTHER = [F, '"""', "\n", "\n\n", " ", "\r\n", "text", "中", "\ufeff", "\x85"]
PIECES = st.sampled_from([*HEADERS, *OTHER])


@settings(max_examples=300)
@given(st.lists(PIECES, min_size=1, max_size=40).map("".join).filter(str.strip))
def test_whatever_a_file_holds_the_prompt_is_its_projects(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(text.encode())
    checked = check_file(path)
    assert checked.equal, checked.difference
