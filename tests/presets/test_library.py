"""The library: a person's own presets beside the shipped ones, names that are safe, saves that are atomic."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from playground.errors import PresetError
from playground.presets.library import PresetLibrary, read_preset, write_atomically
from playground.presets.preset import Preset


@pytest.fixture
def library(tmp_path: Path) -> PresetLibrary:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "friendly.yaml").write_text("name: friendly\ntitle: Friendly\n", encoding="utf-8")
    return PresetLibrary(shipped, tmp_path / "own")


def test_save_load_list_delete(library: PresetLibrary, tmp_path: Path) -> None:
    path = library.save(Preset(name="mine", system="中文 🙂"))
    assert path == tmp_path / "own" / "mine.yaml"
    assert library.load("mine").system == "中文 🙂"
    assert [(e.name, e.shipped) for e in library.entries()] == [("friendly", True), ("mine", False)]
    library.delete("mine")
    assert [e.name for e in library.entries()] == ["friendly"]


def test_a_taken_name_needs_a_word(library: PresetLibrary) -> None:
    library.save(Preset(name="mine", system="1"))
    with pytest.raises(PresetError, match="already"):
        library.save(Preset(name="mine", system="2"))
    library.save(Preset(name="mine", system="2"), overwrite=True)
    assert library.load("mine").system == "2"


def test_shipped_presets_stay_as_they_are(library: PresetLibrary) -> None:
    with pytest.raises(PresetError, match="ships with"):
        library.save(Preset(name="friendly"), overwrite=True)
    with pytest.raises(PresetError, match="ships with"):
        library.delete("friendly")


@pytest.mark.parametrize(
    "name", ["../../x", "con", "a/b", ".hidden", "x" * 81, "nul.yaml", "a\0b", " x", "x."]
)
def test_a_name_never_leaves_the_folder(library: PresetLibrary, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PresetError, match="cannot be a preset's name"):
        library.save(Preset.model_construct(name=name))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_name_lists_those_there_are(library: PresetLibrary) -> None:
    with pytest.raises(PresetError, match="friendly"):
        library.load("nope")


def test_a_broken_file_is_listed_with_its_error(library: PresetLibrary, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "bad.yaml").write_text("nmae: bad")
    bad = library.entries()[-1]
    assert bad.name == "bad"
    assert bad.error is not None
    assert "nmae" in bad.error


@pytest.mark.parametrize(("content", "word"), [(b"\xff\xfe\x00", "UTF-8"), (b"x" * 3_000_000, "3.0 MB")])
def test_what_is_no_preset_file(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(PresetError, match=word):
        read_preset(path)
    with pytest.raises(PresetError, match="cannot be read"):
        read_preset(tmp_path / "missing.yaml")


def test_every_shipped_preset_reads_and_renders() -> None:
    from playground.chat.assistant import preset_renderer
    from playground.settings import Settings
    from playground.types import Message

    settings = Settings.load({"PLAYGROUND_HOME": "unused"})
    entries = PresetLibrary(settings.shipped_presets, settings.presets_dir).entries()
    names = {entry.name for entry in entries}
    assert {"friendly", "list", "pirate", "terse", "chinese", "zero-shot", "document"} <= names
    for entry in entries:
        assert entry.error is None
        preset = read_preset(entry.path)
        assert preset.name == entry.name
        assert preset.description
        prompt = preset_renderer(preset).render([Message("user", "hi")])
        assert prompt.stop
        assert prompt.text == prompt.text.rstrip(" ")


_WRITER = """
import sys
from pathlib import Path
from playground.presets.library import write_atomically
print("ready", flush=True)
while True:
    for letter in "ab":
        write_atomically(Path(sys.argv[1]), letter * 200_000)
"""


def test_a_kill_in_mid_save_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "p.yaml"
    write_atomically(target, "a" * 200_000)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(target)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert target.read_text() in ("a" * 200_000, "b" * 200_000)
