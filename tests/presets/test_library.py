"""The library: a person's own presets beside the shipped ones, names that are safe, saves that are atomic."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playground.errors import PresetError
from playground.presets.library import (
    PresetCommentsError,
    PresetConflictError,
    PresetLibrary,
    file_digest,
    read_preset,
    write_atomically,
)
from playground.presets.names import check_name, safe_name
from playground.presets.preset import Preset
from playground.settings import Settings


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


def test_shipped_files_are_as_a_save_writes_them() -> None:
    for path in sorted(Settings.load().shipped_presets.glob("*.yaml")):
        assert read_preset(path).to_yaml() == path.read_text(encoding="utf-8"), path.name


def test_a_file_that_says_the_same_already_is_not_written(library: PresetLibrary, tmp_path: Path) -> None:
    path = tmp_path / "own" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("# why\nsystem: 'x' # kept\nname: mine\n", encoding="utf-8")
    before = path.stat()
    library.save(Preset(name="mine", system="x"), overwrite=True)
    assert path.stat() == before


def test_comments_survive_a_save_and_those_of_removed_parts_are_named(
    library: PresetLibrary, tmp_path: Path
) -> None:
    path = tmp_path / "own" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("# top\nname: mine\nsystem: x # my reason\n# end\n", encoding="utf-8")
    library.save(Preset(name="mine", system="y"), overwrite=True)
    assert path.read_text() == "# top\nschema: 2\nname: mine\nsystem: y  # my reason\n# end\n"
    gone = Preset(name="mine", title="t")
    with pytest.raises(PresetCommentsError, match=r"a comment \(line 4 '# my reason'\) from mine") as caught:
        library.save(gone, overwrite=True)
    assert [c.text for c in caught.value.comments] == ["# my reason"]
    assert "my reason" in path.read_text()
    assert [c.line for c in library.lost_comments(gone)] == [4]
    assert library.lost_comments(Preset(name="mine", system="z")) == ()
    library.save(gone, overwrite=True, drop_comments=True)
    assert library.load("mine").title == "t"
    assert path.read_text() == "# top\nschema: 2\nname: mine\ntitle: t\n# end\n"


def test_what_somebody_else_changed_is_not_overwritten(library: PresetLibrary) -> None:
    path = library.save(Preset(name="mine", system="1"))
    opened = file_digest(path)
    library.save(Preset(name="mine", system="theirs"), overwrite=True)
    with pytest.raises(PresetConflictError, match="somebody else") as caught:
        library.save(Preset(name="mine", system="mine"), overwrite=True, expected=opened)
    assert Preset.from_yaml(caught.value.theirs).system == "theirs"
    library.save(Preset(name="mine", system="mine"), overwrite=True, expected=file_digest(path))
    assert library.load("mine").system == "mine"


def test_the_list_reads_a_file_again_only_where_it_changed(
    library: PresetLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(path: Path) -> Preset:
        read.append(path.stem)
        return read_preset(path)

    monkeypatch.setattr("playground.presets.library.read_preset", counted)
    path = library.save(Preset(name="mine", title="One"))
    assert [entry.title for entry in library.entries() if entry.name == "mine"] == ["One"]
    assert read.count("mine") == 1
    read.clear()
    library.entries()
    assert read == []
    path.write_text("name: mine\ntitle: [\n")
    assert next(entry.error for entry in library.entries() if entry.name == "mine")
    path.write_text("name: mine\ntitle: Two\n")
    assert [entry.title for entry in library.entries() if entry.name == "mine"] == ["Two"]
    assert read == ["mine", "mine"]
    path.unlink()
    assert all(entry.name != "mine" for entry in library.entries())


def test_of_two_who_make_the_same_file_one_does(tmp_path: Path) -> None:
    """Many saves at once, each by a library of its own, as two programs would."""
    start = threading.Barrier(8)
    outcome: list[str] = []
    refused: list[str] = []

    def save(text: str) -> None:
        library = PresetLibrary(tmp_path / "none", tmp_path / "own")
        start.wait()
        try:
            library.save(Preset(name="mine", system=text))
            outcome.append(text)
        except PresetError as error:
            refused.append(str(error))

    for _ in range(20):
        (tmp_path / "own" / "mine.yaml").unlink(missing_ok=True)
        outcome.clear()
        threads = [threading.Thread(target=save, args=(str(i) * 50_000,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcome) == 1
        assert all("already" in sentence for sentence in refused)
        assert read_preset(tmp_path / "own" / "mine.yaml").system == outcome[0]
        assert os.listdir(tmp_path / "own") == ["mine.yaml"]


def test_two_who_overwrite_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    libraries = [PresetLibrary(tmp_path / "none", tmp_path / "own") for _ in range(2)]
    libraries[0].save(Preset(name="mine", system="0" * 50_000))
    stop = threading.Event()

    def save(library: PresetLibrary, letter: str) -> None:
        while not stop.is_set():
            library.save(Preset(name="mine", system=letter * 50_000), overwrite=True)

    threads = [threading.Thread(target=save, args=pair) for pair in zip(libraries, "ab", strict=True)]
    for thread in threads:
        thread.start()
    seen = {read_preset(tmp_path / "own" / "mine.yaml").system for _ in range(100)}
    stop.set()
    for thread in threads:
        thread.join()
    assert seen <= {"0" * 50_000, "a" * 50_000, "b" * 50_000}


def test_a_preset_too_large_to_be_read_again_is_not_saved(library: PresetLibrary, tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"would take 2\.1 MB"):
        library.save(Preset(name="mine", system="x" * 2_100_000))
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("../../x", "x"),
        ("con", "con-preset"),
        ("a/b\\c", "a-b-c"),
        ("🙂", "imported"),
        ("", "imported"),
        ("ChatML (new).v2", "ChatML -new-.v2"),
        ("中文", "中文"),
        ("x" * 5_000, "x" * 80),
        (" . ", "imported"),
        ("𠀀" * 80, "𠀀" * 50),
    ],
)
def test_the_nearest_name_that_a_file_can_have(wish: str, name: str) -> None:
    assert safe_name(wish) == name
    assert check_name(safe_name(wish)) == name


@given(st.text(max_size=120))
@example("_.a")
@example("_ x")
@example("con.x")
@example("con-")
@example(f"con{'+' * 90}x")
@example(f"con.{'語' * 90}")
def test_every_wish_becomes_a_name(wish: str) -> None:
    assert check_name(safe_name(wish))


_FULL = """
import resource, signal, sys
from pathlib import Path
from playground.errors import PresetError
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset
own = Path(sys.argv[1])
if sys.argv[2] == "limit":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
library = PresetLibrary(own / "none", own)
try:
    library.save(Preset(name="mine", system="new" * 50_000), overwrite=True)
except PresetError as error:
    print(error)
"""


def _save_on_full(own: Path, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(own), how], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    library = PresetLibrary(tmp_path / "none", tmp_path)
    library.save(Preset(name="mine", system="old"))
    assert "'mine' was not saved" in _save_on_full(tmp_path, "limit")
    assert library.load("mine").system == "old"
    assert os.listdir(tmp_path) == ["mine.yaml"]


def test_a_full_tmpfs_leaves_the_old_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a tmpfs; the test above stands for it")
    try:
        library = PresetLibrary(tmp_path / "none", disk)
        library.save(Preset(name="mine", system="old"))
        assert "No space left" in _save_on_full(disk, "disk")
        assert library.load("mine").system == "old"
        assert os.listdir(disk) == ["mine.yaml"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


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
