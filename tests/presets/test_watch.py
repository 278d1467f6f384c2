"""What changed in a folder of presets, told by content and not by times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from playground.presets import watch
from playground.presets.library import PresetLibrary
from playground.presets.preset import Preset


@pytest.fixture
def library(tmp_path: Path) -> PresetLibrary:
    return PresetLibrary(tmp_path / "shipped", tmp_path / "own")


def test_added_changed_removed(library: PresetLibrary, tmp_path: Path) -> None:
    empty = library.stamp()
    path = library.save(Preset(name="a", system="1"))
    added = library.stamp()
    assert added.since(empty).added == (path,)
    library.save(Preset(name="a", system="2"), overwrite=True)
    changed = library.stamp()
    assert changed.since(added).changed == (path,)
    assert changed.token != added.token
    library.delete("a")
    assert library.stamp().since(changed).removed == (path,)
    assert library.stamp().token == empty.token


def test_a_file_that_was_only_touched_did_not_change(library: PresetLibrary) -> None:
    path = library.save(Preset(name="a"))
    before = library.stamp()
    os.utime(path, (1, 1))
    assert not library.stamp().since(before)
    path.write_bytes(path.read_bytes())  # what a checkout does
    assert library.stamp().token == before.token


def test_a_change_of_the_same_size_at_the_same_time_is_seen(library: PresetLibrary) -> None:
    path = library.save(Preset(name="a", system="1"))
    times = path.stat()
    before = library.stamp()
    path.write_text(path.read_text().replace("system: '1'", "system: '2'"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert library.stamp().since(before).changed == (path,)


def test_files_that_cannot_have_changed_are_not_read_again(
    library: PresetLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(20):
        os.utime(library.save(Preset(name=f"p{i}")), (1, 1))
    before = library.stamp()
    read: list[Path] = []
    monkeypatch.setattr(watch, "read_regular", lambda path, limit: read.append(path) or b"")
    assert library.stamp().token == before.token
    assert read == []
    os.utime(library.save(Preset(name="new")), (2, 2))
    library.stamp()
    assert [path.name for path in read] == ["new.yaml"]


def test_what_is_out_of_reach_is_no_error(library: PresetLibrary, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "folder.yaml").mkdir()
    (tmp_path / "own" / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert library.stamp().digests == {tmp_path / "own" / name: "" for name in ("folder.yaml", "gone.yaml")}
